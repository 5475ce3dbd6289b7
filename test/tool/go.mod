module certrelay.test/paths

go 1.21
