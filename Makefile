# make run    set up, score the demo plate, serve the viewer (SERVE=no: end after the summary)
# make test   set up, check and test everything
# make bench  measure speed, memory and quality, and print a table
# make compare  train the four networks and evaluate them side by side (DATA=runs/chops; it takes hours)
# make freeze   freeze the volunteer's program into one file under dist/
# make volunteer  try that program in slots, also under Debian's BOINC client
# make wheel    build what pip installs: dist/crystal_search-VERSION-py3-none-any.whl
# make docker   build our Docker image on a Debian made here, and score with it (root; some minutes)
# make boinc-docs  do what docs/boinc.md says, word for word, on a fresh Debian in a folder (root; BOINC=a copy of its repository)
# make fuzz     fuzz whatever reads what others wrote (MINUTES=10 of processor time for each reader)
# make fuzz-api  fuzz the viewer's API as its description has it (MINUTES=10)
# make kill     kill 1,000 processes and break much else over three databases (KILLS=1000, SEED=new; half an hour or more)
# make pictures  take the pictures of the viewer that docs show
# make mask-rcnn  train, export and run Mask R-CNN with a torch and torchvision of its own (5 GB)
# make mitsuba  check the ray tracer against Mitsuba 3, which it installs (200 MB)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= yes
PORT ?= 8765
DATA ?= runs/chops
MINUTES ?= 10
KILLS ?= 1000
SEED ?=
BOINC ?=
# A CPU build of torch is enough; name another build here if you have one.
TORCH ?= torch==2.13.0
# Which torch and torchvision fit each other; with a GPU's libraries.
MASK_RCNN ?= torch==2.14.1 torchvision==0.29.1

.PHONY: run test lint unit unit-inside unit-services unit-pages bench compare freeze volunteer wheel docker boinc-docs fuzz fuzz-api kill mask-rcnn mitsuba pictures clean

run: $(VENV)/run.stamp
	$(BIN)/crystal-search run --serve $(SERVE) --port $(PORT)

test: $(VENV)/test.stamp lint unit

# Two processes side by side, for a machine of two cores, and the third when one is done; what each says comes then.
unit: $(VENV)/test.stamp
	$(MAKE) --jobs 2 --keep-going --output-sync=target --no-print-directory unit-inside unit-services unit-pages

# Programs that tests start are compiled once, also where the environment forbids that: Python takes "" for no.
unit-inside unit-services unit-pages: export PYTHONDONTWRITEBYTECODE :=

unit-inside:
	$(BIN)/python -m pytest --ignore tests/integration --ignore tests/acceptance

unit-services:
	$(BIN)/python -m pytest tests/integration

unit-pages:
	$(BIN)/python -m pytest tests/acceptance

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

compare: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.compare_networks --data $(DATA)

freeze: .venv-freeze/made.stamp
	.venv-freeze/bin/python -m pip install --quiet --requirement scripts/freezing/requirements.txt
	.venv-freeze/bin/python scripts/freezing/freeze.py

.venv-freeze/made.stamp:
	sh scripts/make-venv $(PYTHON) .venv-freeze

volunteer: $(VENV)/test.stamp freeze
	sh scripts/install-boinc-client
	$(BIN)/python -m pytest tests/integration/test_volunteer.py tests/acceptance/test_boinc_client.py

wheel: $(VENV)/made.stamp
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

docker:
	sh scripts/test-docker

boinc-docs:
	apt-get install -y -qq --no-install-recommends debootstrap iproute2
	$(PYTHON) -m tests.following_docs docs/boinc.md $(if $(BOINC),--mirror $(BOINC))

fuzz: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

fuzz-api: $(VENV)/test.stamp .venv-fuzz-api/made.stamp
	.venv-fuzz-api/bin/python -m pip install --quiet --requirement tests/fuzz_api_requirements.txt
	$(BIN)/python -m tests.fuzz_api --minutes $(MINUTES) --schemathesis .venv-fuzz-api/bin/schemathesis

.venv-fuzz-api/made.stamp:
	sh scripts/make-venv $(PYTHON) .venv-fuzz-api

kill: $(VENV)/test.stamp
	nice $(BIN)/python -m tests.killing --kills $(KILLS) $(if $(SEED),--seed $(SEED)) --write

pictures: $(VENV)/test.stamp
	$(BIN)/python -m tests.viewer_pictures

mask-rcnn: .venv-mask-rcnn/made.stamp
	.venv-mask-rcnn/bin/python -m pip install --quiet --constraint tests/constraints.txt $(MASK_RCNN)
	.venv-mask-rcnn/bin/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[train,detection,mask-rcnn,clahe]' hypothesis pytest pytest-timeout
	.venv-mask-rcnn/bin/python -m pytest tests/unit/test_instance_targets.py tests/integration/test_mask_rcnn.py

.venv-mask-rcnn/made.stamp:
	sh scripts/make-venv $(PYTHON) .venv-mask-rcnn

mitsuba: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --editable '.[mitsuba]'
	$(BIN)/python -m pytest tests/integration/test_rays_against_mitsuba.py

$(VENV)/made.stamp:
	sh scripts/make-venv $(PYTHON) $(VENV)

$(VENV)/run.stamp: setup.cfg pyproject.toml | $(VENV)/made.stamp
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/test.stamp: setup.cfg pyproject.toml tests/constraints.txt | $(VENV)/made.stamp
	sh scripts/install-chromium
	sh scripts/install-h2
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[test]'
	touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) .venv-freeze .venv-fuzz-api .venv-mask-rcnn build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache crystal_search.egg-info
