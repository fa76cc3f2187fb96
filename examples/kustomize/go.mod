module example.com/kustomize

go 1.24
