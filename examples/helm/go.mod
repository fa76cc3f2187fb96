module example.com/hello-helm

go 1.24
