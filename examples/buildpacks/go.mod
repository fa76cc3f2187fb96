module example.com/hello-buildpacks

go 1.24
