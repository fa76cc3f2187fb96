module example.com/getting-started

go 1.24
