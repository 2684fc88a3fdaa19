#!/usr/bin/env python3
"""Kubernetes objects: judged by the API's own schemas, by the "restricted" standard, and for hanging together.

    kubernetes.py schema FILE...      API schemas of three versions, strict; the operator's kinds by our own table
    kubernetes.py restricted FILE...  pod security standard "restricted"
    kubernetes.py whole FILE...       names that objects call each other by exist
    kubernetes.py equal A B           the same objects
    kubernetes.py rules FILE A.yaml B.yaml   a PrometheusRule holds the groups of the files
    kubernetes.py config FILE         the configuration out of its ConfigMap
    kubernetes.py command CONTAINER FILE  what that container runs, a word a line

Prints what is wrong, one line each; exit 1 if anything is.
"""
import sys

import yaml

VERSIONS = ('1.28', '1.31', '1.33')
OPERATOR = {
    'ServiceMonitor': {'selector', 'endpoints'},
    'PrometheusRule': {'groups'},
}
ENDPOINT = {'port', 'interval', 'scrapeTimeout'}
RULE = {'alert', 'record', 'expr', 'for', 'labels', 'annotations'}


def objects(paths):
    for path in paths:
        with open(path, encoding='utf-8') as f:
            for o in yaml.safe_load_all(f):
                if o and not o['apiVersion'].startswith('kustomize.'):
                    yield o


def name(o):
    return f"{o['kind']}/{o['metadata'].get('namespace', '')}/{o['metadata']['name']}"


def pods(o):
    """(template's metadata, pod spec) of what makes pods."""
    if o['kind'] in ('DaemonSet', 'Deployment'):
        yield o['spec']['template']['metadata'], o['spec']['template']['spec']
    if o['kind'] == 'CronJob':
        t = o['spec']['jobTemplate']['spec']['template']
        yield t.get('metadata', {}), t['spec']


def seconds(duration):
    """Of one number and unit, as this repository writes them."""
    return float(duration.rstrip('ms')) * {'ms': .001, 's': 1, 'm': 60}[duration.lstrip('0123456789')]


def operator(o):
    """The Prometheus operator's kinds, by hand: the schemas above do not hold them."""
    extra = set(o['spec']) - OPERATOR[o['kind']]
    if extra:
        yield f'{name(o)}: unknown keys {sorted(extra)}'
    for e in o['spec'].get('endpoints', []):
        if set(e) - ENDPOINT:
            yield f'{name(o)}: unknown keys {sorted(set(e) - ENDPOINT)} of an endpoint'
        if seconds(e.get('scrapeTimeout', '0s')) > seconds(e['interval']):
            yield f'{name(o)}: a timeout longer than the interval, which the operator refuses'
    for g in o['spec'].get('groups', []):
        for r in g['rules']:
            if set(r) - RULE or 'expr' not in r or ('alert' in r) == ('record' in r):
                yield f"{name(o)}: {g['name']}: no rule: {sorted(r)}"


def schema(paths):
    import kubernetes_validate
    for o in objects(paths):
        if o['apiVersion'].startswith('monitoring.coreos.com/'):
            yield from operator(o)
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(o, version, strict=True)
            except kubernetes_validate.ValidationError as e:
                yield f'{version}: {name(o)}: {e.message}'


def restricted(paths):
    for o in objects(paths):
        for _, pod in pods(o):
            where = name(o)
            context = pod.get('securityContext', {})
            for key in ('hostNetwork', 'hostPID', 'hostIPC'):
                if pod.get(key):
                    yield f'{where}: {key}'
            for v in pod.get('volumes', []):
                kind = set(v) - {'name'}
                if not kind <= {'configMap', 'secret', 'emptyDir', 'projected', 'downwardAPI', 'csi',
                                'persistentVolumeClaim', 'ephemeral'}:
                    yield f"{where}: volume {v['name']} is {kind}"
            for c in pod.get('initContainers', []) + pod['containers']:
                s = c.get('securityContext', {})
                merged = {**context, **s}
                at = f"{where}: {c['name']}"
                if s.get('privileged') or s.get('allowPrivilegeEscalation') is not False:
                    yield f'{at}: may gain privileges'
                capabilities = s.get('capabilities', {})
                if 'ALL' not in capabilities.get('drop', []):
                    yield f'{at}: keeps capabilities'
                if set(capabilities.get('add', [])) - {'NET_BIND_SERVICE'}:
                    yield f"{at}: adds {capabilities['add']}"
                if merged.get('runAsNonRoot') is not True or merged.get('runAsUser') == 0:
                    yield f'{at}: may be root'
                if merged.get('seccompProfile', {}).get('type') not in ('RuntimeDefault', 'Localhost'):
                    yield f'{at}: no seccomp profile'
                if not s.get('readOnlyRootFilesystem'):
                    yield f'{at}: writable root'
                if any('hostPort' in p for p in c.get('ports', [])):
                    yield f'{at}: takes a port of the host'


def whole(paths):
    all_objects = list(objects(paths))
    makers = [(o, m, p) for o in all_objects for m, p in pods(o)]

    def chosen(selector):
        return [p for _, m, p in makers if selector.items() <= m.get('labels', {}).items()]

    def has_port(selector, port):
        return any(q.get('name') == port or q['containerPort'] == port
                   for p in chosen(selector) for c in p['containers'] for q in c.get('ports', []))

    accounts = {o['metadata']['name'] for o in all_objects if o['kind'] == 'ServiceAccount'}
    for o, meta, pod in makers:
        if 'selector' in o['spec'] and not o['spec']['selector']['matchLabels'].items() <= meta['labels'].items():
            yield f'{name(o)}: does not select its own pods'
        if pod.get('serviceAccountName', 'default') not in accounts | {'default'}:
            yield f"{name(o)}: no service account {pod['serviceAccountName']}"
        context = pod.get('securityContext', {})
        if 'fsGroup' in context and any('persistentVolumeClaim' in v for v in pod.get('volumes', [])) and \
                context.get('fsGroupChangePolicy') != 'OnRootMismatch':
            yield f'{name(o)}: kubelet lets the group write every file of its claims, at every mount'
        volumes = {v['name'] for v in pod.get('volumes', [])}
        used = set()
        for c in pod.get('initContainers', []) + pod['containers']:
            used |= {m['name'] for m in c.get('volumeMounts', [])}
            ports = {p.get('name') for p in c.get('ports', [])}
            for probe in ('livenessProbe', 'readinessProbe'):
                for how in ('httpGet', 'tcpSocket'):
                    port = c.get(probe, {}).get(how, {}).get('port')
                    if port is not None and port not in ports:
                        yield f"{name(o)}: {c['name']}: {probe} asks port {port}, which is none"
        if used != volumes:
            yield f'{name(o)}: volumes and mounts differ: {sorted(used ^ volumes)}'
    for o in all_objects:
        if o['kind'] == 'Service':
            for p in o['spec']['ports']:
                if not has_port(o['spec']['selector'], p['targetPort']):
                    yield f"{name(o)}: nothing behind port {p['targetPort']}"
        if o['kind'] == 'NetworkPolicy':
            for rule in o['spec'].get('ingress', []):
                for p in rule.get('ports', []):
                    if not has_port(o['spec']['podSelector']['matchLabels'], p['port']):
                        yield f"{name(o)}: lets port {p['port']} through, which is none"
        if o['kind'] == 'ServiceMonitor':
            wanted = o['spec']['selector']['matchLabels'].items()
            services = [s for s in all_objects if s['kind'] == 'Service' and wanted <= s['metadata']['labels'].items()]
            ports = {p['name'] for s in services for p in s['spec']['ports']}
            if len(services) != 1 or any(e['port'] not in ports for e in o['spec']['endpoints']):
                yield f'{name(o)}: {len(services)} services, ports {sorted(ports)}'


def data(o):
    """For comparison: YAML in a ConfigMap by what it says, not by how it is written."""
    if o['kind'] == 'ConfigMap':
        o = {**o, 'data': {k: yaml.safe_load(v) for k, v in o['data'].items()}}
    return o


def equal(a, b):
    left, right = ({name(o): data(o) for o in objects([p])} for p in (a, b))
    for n in sorted(set(left) | set(right)):
        if left.get(n) != right.get(n):
            yield f'{n} differs' if n in left and n in right else f'{n} is on one side only'
    if not left:
        yield f'{a}: no objects'


def rules(path, *sources):
    groups = []
    for s in sources:
        with open(s, encoding='utf-8') as f:
            groups += yaml.safe_load(f)['groups']
    got = [o['spec']['groups'] for o in objects([path]) if o['kind'] == 'PrometheusRule']
    if got != [groups]:
        yield f'{path}: not the groups of {", ".join(sources)}'


def main():
    verb, *arguments = sys.argv[1:]
    if verb == 'config':
        found = [text for o in objects(arguments) if o['kind'] == 'ConfigMap' for text in o['data'].values()]
        print(found[0], end='')
        return 0
    if verb == 'command':
        for o in objects(arguments[1:]):
            for _, pod in pods(o):
                for c in pod.get('initContainers', []) + pod['containers']:
                    if c['name'] == arguments[0]:
                        print(*c.get('command', ['/usr/bin/vmwatts']), *c.get('args', []), sep='\n')
        return 0
    said = list({'schema': lambda: schema(arguments), 'restricted': lambda: restricted(arguments),
                 'whole': lambda: whole(arguments), 'equal': lambda: equal(*arguments),
                 'rules': lambda: rules(*arguments)}[verb]())
    print('\n'.join(said), end='\n' if said else '')
    return 1 if said else 0


if __name__ == '__main__':
    sys.exit(main())
