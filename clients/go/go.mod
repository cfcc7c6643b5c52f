module swarmkeep

go 1.21
