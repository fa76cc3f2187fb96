module example.com/debug-go

go 1.24
