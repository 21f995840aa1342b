# Every target does its own set-up, keeps what it fetched in .cache and can be repeated. See the README.
PYTHON ?= python3
.PHONY: run test bench dev release setup build sqlx clean

run:      ## build everything and serve at http://127.0.0.1:3000 (PORT=, SOULFORGE_DATA=)
	@PORT=$(PORT) $(PYTHON) scripts/run.py

test:     ## set everything up and run every test (SUITE=name runs one suite)
	@SUITE="$(SUITE)" $(PYTHON) scripts/test.py

bench:    ## measure the figures of docs/benchmarks.md with the built server (BENCH=name,name measures some)
	@BENCH="$(BENCH)" $(PYTHON) scripts/bench.py

dev:      ## serve, and build again whenever a file changes
	@PORT=$(PORT) $(PYTHON) scripts/dev.py

release:  ## the production tree, target/dist/soulforge, and its archive
	@$(PYTHON) scripts/build.py dist

setup:    ## fetch the tools only
	@$(PYTHON) scripts/setup.py

build:    ## server and site, without serving
	@$(PYTHON) scripts/build.py

sqlx:     ## write .sqlx again after a query or a migration changed
	@$(PYTHON) scripts/database.py sqlx

clean:    ## remove what was built; what was fetched stays
	@rm -rf target
