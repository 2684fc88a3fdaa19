// SPDX-License-Identifier: Apache-2.0

// Command render prints what a chart or a kustomization stands for, by Helm's and kustomize's own code without the rest of
// them: as "helm template RELEASE CHART --namespace NS [--set A=B]..." and "kustomize build DIR" do. CRDs and hooks are
// not looked at: the chart has none.
package main

import (
	"fmt"
	"os"
	"path"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func render(release, folder, namespace string, set []string) (map[string]string, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return nil, err
	}
	if err := chart.Validate(); err != nil {
		return nil, err
	}
	values := map[string]interface{}{}
	for _, s := range set {
		if err := strvals.ParseInto(s, values); err != nil {
			return nil, err
		}
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, all)
}

func kustomize(folder string) (string, error) {
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return "", err
	}
	text, err := all.AsYaml()
	return string(text), err
}

func helm(release, chart, namespace string, set []string) (string, error) {
	files, err := render(release, chart, namespace, set)
	if err != nil {
		return "", err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	var text strings.Builder
	for _, name := range names {
		if path.Ext(name) == ".yaml" && strings.TrimSpace(files[name]) != "" {
			fmt.Fprintf(&text, "---\n%s\n", strings.TrimSpace(files[name]))
		}
	}
	return text.String(), nil
}

func main() {
	var text string
	var err error

	switch {
	case len(os.Args) == 3 && os.Args[1] == "kustomize":
		text, err = kustomize(os.Args[2])
	case len(os.Args) >= 5 && os.Args[1] == "helm":
		text, err = helm(os.Args[2], os.Args[3], os.Args[4], os.Args[5:])
	default:
		fmt.Fprintln(os.Stderr, "usage: render kustomize DIR | render helm RELEASE CHART NAMESPACE [KEY=VALUE]...")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}
