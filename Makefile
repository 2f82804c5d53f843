# make help shows what there is. Everything that the targets need but Go, .ci/deps installs if it may.

BUS3    := bin/bus3
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
S3      ?=
export GOFLAGS ?= -buildvcs=false

.PHONY: help build test lint bench demo install
help:
	@echo 'make build         bin/bus3'
	@echo 'make test          vet and all tests, with a real PostgreSQL and a real S3 server'
	@echo 'make lint          golangci-lint with .golangci.yml'
	@echo 'make bench         measure against restic, kopia and the machine (docs/performance.md)'
	@echo 'make demo [S3=1]   show what bus3 does; S3=1: on PostgreSQL and S3 instead of local files'
	@echo 'make install       into PREFIX/bin (PREFIX=$(PREFIX))'

build:
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BUS3) ./cmd/bus3

# -count=1: many tests run programs and servers, whose changes the test cache does not see.
test: build
	.ci/deps
	go vet ./...
	go test -count=1 -timeout 14m ./...

lint:
	cd test/lint && go build -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run

bench: build
	.ci/deps bench
	go run ./test/bench $(BENCHFLAGS)

demo: build
	.ci/deps
	go run ./test/demo -bus3 $(BUS3) $(if $(S3),-s3)

install: build
	install -D -m 0755 $(BUS3) $(DESTDIR)$(PREFIX)/bin/bus3
