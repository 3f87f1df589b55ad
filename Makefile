# make demo    watch a whole desk at work: no configuration, no root, no mail server
# make test    all tests, with real mail servers where this machine has them or lets us install them
# make faults  the fault matrix with thousands of kills (about 45 minutes), and its table
# make hostile   every case of strange and hostile mail, and its table
# make fuzz      2,000,000 mutated mails, texts and files, with a printed seed (about half an hour)
# make soak    50,000 mails with faults at random, memory and books watched (about half an hour)
# make check   format, lint, types and tests; what must pass before a change goes in
# make bench   speed and memory, beside this machine's own limits
# make lock    write requirements.lock from the packages in .venv
# make tidy    format the code and mend what the linter can mend

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
# Most tests wait for servers: so many at a time keep two cores busy.
SEVERAL := -n 8 --no-loadscope-reorder
KILLS ?= 2400

.PHONY: demo test faults hostile fuzz soak check format lint types bench lock tidy servers
.DEFAULT_GOAL := check

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable '.[demo]'
	touch $@

demo: $(READY)
	$(BIN)/mailtickets demo $(ARGS)

servers:
	@.ci/servers

test: servers $(READY)
	@.ci/pytest $(SEVERAL) $(ARGS)

faults: servers $(READY)
	@.ci/pytest $(SEVERAL) -m fault --kills $(KILLS) tests $(ARGS)

hostile: servers $(READY)
	@.ci/pytest $(SEVERAL) -m case tests $(ARGS)

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --inputs 2000000 $(ARGS)

soak: servers $(READY)
	$(BIN)/python -m bench soak $(ARGS)

check: format lint types test

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

lock:
	$(BIN)/python .ci/lock.py > requirements.new
	mv requirements.new requirements.lock

tidy: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
