module k3s-compatible

go 1.26
