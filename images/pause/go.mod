module local-cloud/pause

go 1.26.0
