# What a developer types. The work is done by the scripts in contrib/, which need no make.
PYTHON ?= /opt/amavis-pipe-try/bin/python

.PHONY: help try test check e2e fuzz bench memory scale faults soak profile million docs clean

help:
	@echo 'make try     a sample mail through the trial form (contrib/try)'
	@echo 'make test    all checks and tests, with a real Postfix and clamd (contrib/test)'
	@echo 'make check   formatting, lint, types, known vulnerabilities, generated files, and the tests without e2e'
	@echo 'make e2e     the end-to-end tests alone'
	@echo 'make fuzz    fuzz all that reads what others wrote, ten minutes each, mail an hour (SECONDS=… SEED=… FUZZERS=…)'
	@echo 'make bench   filters side by side through a real Postfix (root), and a run beside a bare interpreter'
	@echo 'make memory  the most memory that a run takes'
	@echo 'make scale   curves: cache, journal, processes at once, size of the mail, parts'
	@echo 'make million a journal of a million records: folded, reported, explained while mail goes on'
	@echo 'make docs    the documentation, in build/docs; a warning is an error (wants Sphinx: pip install .[docs])'
	@echo 'make profile where a run spends itself: instructions by stage (valgrind)'
	@echo 'make faults  every system call of a run fails once (strace): one outcome for each'
	@echo 'make soak    mixed mail for twice ten minutes while all around fails in turn, counted (SECONDS=… for another time)'
	@echo 'make clean   remove what tools left in this folder'

try:
	sh contrib/try

test:
	sh contrib/test

check:
	sh contrib/test --checks
	sh contrib/test --ignore=tests/e2e

e2e:
	sh contrib/test tests/e2e

fuzz:
	$(PYTHON) tests/fuzz/run.py $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(FUZZERS)

bench:
	/usr/bin/python3 contrib/bench/run.py
	/usr/bin/python3 contrib/bench/spam_checker.py
	$(PYTHON) contrib/bench/side.py $(SIDE)
	$(PYTHON) contrib/bench/known.py

memory:
	$(PYTHON) contrib/bench/memory.py

scale:
	$(PYTHON) contrib/bench/scale.py $(WHAT)
	$(PYTHON) contrib/bench/entries.py

faults:
	STEP=1 sh contrib/test tests/faults

soak:
	SOAK_SECONDS=$(or $(SECONDS),600) sh contrib/test tests/soak/under_load.py

profile:
	/usr/bin/python3 contrib/bench/stages.py

million:
	$(PYTHON) contrib/bench/history.py

docs:
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs build/docs

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
