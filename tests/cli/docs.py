#!/usr/bin/env python3
"""docs.py commands TOP VMWATTS | links TOP | proposal TOP: what documents mention and is not there, a line each."""
import functools
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(sys.argv[2])
DOCUMENTS = sorted([*top.glob('*.md'), *top.glob('docs/**/*.md'), *top.glob('go/**/*.md'), *top.glob('bridge/**/*.md'), *top.glob('deploy/**/*.md')])
PLACEHOLDER = re.compile(r'^[A-Z_.]+$')


@functools.lru_cache(None)
def help_of(words):
    """The help of a command, or None where there is none."""
    got = subprocess.run([sys.argv[3], *words, '--help'], capture_output=True, text=True)
    return got.stdout if got.returncode == 0 else None


def spans(text):
    """Every line of code: fenced, indented, or between backticks."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith('```'):
            fenced = not fenced
        elif fenced or line.startswith('    '):
            yield line
        else:
            yield from re.findall(r'`([^`]+)`', line)


def unknown_in(line):
    for part in re.split(r'\s(?:&&|\|\|?|;)\s|\$\(| -- ', line.split(' # ')[0]):
        found = re.search(r'(?:^|[\s/])vmwatts ([a-z]+)((?:\s.*)?)$', part)
        if not found or found.group(1) in ('is', 'has'):
            continue
        words, rest = [found.group(1)], found.group(2).split()
        about = help_of(tuple(words))
        if about is None:
            yield f'vmwatts {words[0]}'
            continue
        if rest and re.fullmatch('[a-z]+', rest[0]) and help_of((words[0], rest[0])):
            about += help_of((words[0], rest[0]))
        for option in re.findall(r'(?<![\w-])--([a-z][a-z-]+)', found.group(2)):
            if f'--{option}' not in about:
                yield f"vmwatts {' '.join(words + rest[:1])} --{option}"


def commands():
    makefile = (top / 'Makefile').read_text()
    for path in DOCUMENTS:
        for line in spans(path.read_text()):
            for what in unknown_in(line):
                print(f'{path.relative_to(top)}: {what}')
            made = re.match(r'\s*make ([a-z][a-z0-9-]*)', line)
            if made and not re.search(rf'^{made.group(1)}:', makefile, re.M):
                print(f'{path.relative_to(top)}: make {made.group(1)}')


def anchors(path):
    for heading in re.findall(r'^#+ (.*)$', path.read_text(), re.M):
        yield re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def links():
    for path in DOCUMENTS:
        for target in re.findall(r'\]\(([^)\s]+)\)', path.read_text()):
            if re.match(r'[a-z]+:', target):
                continue
            name, _, anchor = target.partition('#')
            to = (path.parent / name).resolve() if name else path
            if not to.exists() or (anchor and to.suffix == '.md' and anchor not in anchors(to)):
                print(f'{path.relative_to(top)}: {target}')


# What the proposal names, as its readers will look for it.
PROPOSED = """
FR1 FR2 FR3 FR4 FR5 FR6 FR7 Performance Reliability Security Maintainability Testability
enabled model_path collection_interval inference_method isolated_cpus recommendation_mode perf_counters_enabled sampling_interval
metrics_whitelist url timeout retry_attempts confidence_threshold fallback_method
KEPLER_VM_ENERGY_ENABLED KEPLER_VM_MODEL_PATH --vm-energy-enabled --vm-model-path
kepler_node_cpu_watts kepler_vm_model_inference_duration_seconds kepler_vm_model_confidence_score kepler_vm_model_version
kepler_vm_feature_collection_errors_total kepler_vm_feature_collection_duration_seconds kepler_vm_cpu_pinning_enabled
kepler_vm_cpu_isolation_ratio kepler_vm_pinning_recommendation_score kepler_vm_training_data_points_total
kepler_vm_model_accuracy_mae kepler_vm_last_training_timestamp
PowerEstimator VMFeatures VMPowerMetrics VMEnergyConfig CPUPinningConfig FeatureCollectionConfig
EstimatePower LoadModels GetSupportedZones GetModelVersion GetModelInfo NewPythonBridgeClient
PowerEstimationService EstimationRequest EstimationResponse LoadModelsRequest LoadModelsResponse ModelInfoResponse
deploy_vm_energy.sh kepler-vm-energy kepler-system
""".split() + [
    # Its non-functional requirements, success metrics and rollback strategy.
    '100 ms', '4 h', '99 %', '80 %', 'under 10 %', 'all four zones', 'over 95 %', 'over 90 %', 'under 5 %', 'under 100 MB',
    '5 s intervals', 'under 5 s', 'three platforms', 'existing Kepler', 'five production', 'under 1 %',
    'runtime switching', '3 at least', 'manual rollback', 'without downtime',
]


def proposal():
    text = (top / 'docs/ep-003.md').read_text()
    for word in PROPOSED:
        if word not in text:
            print(f'{word} has no row')
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if not line.startswith('| ') or cells[0] == 'the proposal':
            continue
        if len(cells) != 3 or not all(cells):
            print(f'no place or no proof: {line}')
            continue
        for cell in cells[1:]:
            for path in re.findall(r'`([\w./-]+/[\w./-]+|[A-Z]+\.md)`', cell):
                if not (top / path).exists():
                    print(f'{cells[0]}: {path} is not there')
        if not re.search('`', cells[2]):
            print(f'no proof: {line}')


{'commands': commands, 'links': links, 'proposal': proposal}[sys.argv[1]]()
