module example.com/feed-agg

go 1.26
