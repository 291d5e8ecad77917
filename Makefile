# Loa -- the only Makefile; nothing recurses. `make help` says what it can do.

SERVICES := registry content-ingest scheduler telemetry-collector
FUZZERS   = $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))

CC    ?= cc
CLANG ?= clang
SAN   ?=#                  address,undefined or thread; own build folder
TEST  ?=#                  1: with fail points (LOA_FAILPOINT); own build folder
comma := ,
B     := build/$(or $(subst $(comma),-,$(SAN)),plain)$(if $(TEST),-test)$(if $(filter clang,$(CC)),-clang)
G     := build/gen

PKGS_PROTO  := libsodium libprotobuf-c
PKGS_IO     := libuv libpq libmosquitto libmicrohttpd
PKGS_ENCODE := sndfile soxr libebur128 opus ogg espeak-ng libutf8proc
PKGS_DEVICE := opus alsa
PKGS_CTL    := jansson ogg
PKGS_NAMES  := libutf8proc

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Werror
CFLAGS ?= -O2 -g
# Generated code and library headers are included with -isystem: their warnings
# are not ours.
# Asked once, on first use: `make deps` may install them first, and pkg-config.
ASK = command -v pkg-config >/dev/null && pkg-config
SYS = $(eval SYS := $$(patsubst -I%,-isystem %,$$(shell $$(ASK) --cflags \
        $$(PKGS_PROTO) $$(PKGS_IO) $$(PKGS_ENCODE) $$(PKGS_DEVICE) $$(PKGS_CTL) \
        $$(PKGS_NAMES))))$(SYS)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -fPIC $(WARN) -MMD -MP \
        -I. -Iservices -Idevices -Itest/unit -isystem $(G) $(SYS) $(CFLAGS) \
        $(if $(TEST),-DLOA_FAILPOINTS) \
        $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
libs = $(shell $(ASK) --libs $(1))

ifneq ($(V),1)
Q = @printf '  %-5s %s\n' $(1) $(@:$(B)/%=%);
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# --- the language: proto/ -----------------------------------------------------

PROTOS  := $(wildcard proto/loa/v1/*.proto)
PB_C    := $(PROTOS:proto/%.proto=$(G)/%.pb-c.c)
PB_O    := $(PB_C:$(G)/%.c=$(B)/gen/%.o)

$(G)/%.pb-c.c $(G)/%.pb-c.h: proto/%.proto
	@mkdir -p $(G)
	@protoc --proto_path=proto --c_out=$(G) $<
$(B)/gen/%.o: $(G)/%.c
	$(call Q,CC)mkdir -p $(@D) && $(CC) $(filter-out $(WARN),$(ALL_CFLAGS)) -w -c $< -o $@

# --- sources: main.c, config.c and io_*.c are the shell, the rest is pure -----

shell_src = $(wildcard $(1)/main.c $(1)/config.c $(1)/io_*.c)
pure_src  = $(filter-out $(call shell_src,$(1)),$(wildcard $(1)/*.c))
obj       = $(patsubst %.c,$(B)/%.o,$(1))

PROTO_O := $(call obj,$(wildcard proto/*.c))
CLIENT_O := $(call obj,$(wildcard proto/io/*.c))
IO_O    := $(call obj,$(wildcard services/common/*.c))
PURE    := $(PROTO_O) $(foreach s,$(SERVICES),$(call obj,$(call pure_src,services/$(s)))) \
           $(call obj,$(call pure_src,services/encode)) \
           $(call obj,$(call pure_src,devices/speaker)) \
           $(filter-out %/plugin.o,$(call obj,$(call pure_src,broker-plugins/loa-auth)))

$(B)/%.o: %.c | $(PB_C)
	$(call Q,CC)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c $< -o $@

$(B)/libloa-proto.a: $(PROTO_O) $(PB_O)
$(B)/libloa-client.a: $(CLIENT_O)
$(B)/libloa-io.a: $(IO_O)
%.a:
	$(call Q,AR)rm -f $@ && $(AR) rcs $@ $^

# --- programs: one per service, the speaker, loactl, the broker plugin --------

LIBS_registry            := $(call libs,$(PKGS_NAMES)) -lcsv
LIBS_content-ingest      :=
LIBS_scheduler           :=
LIBS_telemetry-collector :=
LIBS_encode              := $(call libs,$(PKGS_ENCODE))

# Pure sources of another folder that a program and its unit tests link too.
MORE_content-ingest      := services/encode/frames.c

define service
$(B)/loa-$(1): $(call obj,$(wildcard services/$(1)/*.c) $(MORE_$(1))) $(B)/libloa-io.a $(B)/libloa-client.a $(B)/libloa-proto.a
	$$(call Q,LD)$$(CC) $$(ALL_CFLAGS) $$^ $$(LIBS_$(1)) $$(call libs,$$(PKGS_IO) $$(PKGS_PROTO)) -lm -o $$@
endef
$(foreach s,$(SERVICES),$(eval $(call service,$(s))))

$(B)/loactl: $(call obj,$(wildcard services/loactl/*.c)) $(B)/libloa-io.a $(B)/libloa-client.a $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(call libs,$(PKGS_CTL) $(PKGS_IO) $(PKGS_PROTO)) -lm -o $@

$(B)/loa-encode: $(call obj,$(wildcard services/encode/*.c)) $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(LIBS_encode) $(call libs,$(PKGS_PROTO)) -lm -o $@

$(B)/loa-speaker: $(call obj,$(wildcard devices/speaker/*.c)) $(B)/libloa-client.a $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(call libs,libuv libmosquitto $(PKGS_DEVICE) $(PKGS_PROTO)) -lm -o $@

$(B)/loa-auth.so: $(call obj,$(wildcard broker-plugins/loa-auth/*.c)) $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) -shared -Wl,-Bsymbolic $^ $(call libs,$(PKGS_PROTO)) -lpthread -o $@

BINS := $(SERVICES:%=$(B)/loa-%) $(B)/loactl $(B)/loa-encode $(B)/loa-speaker $(B)/loa-auth.so

all: $(BINS) ## build every program and the broker plugin

# --- tests --------------------------------------------------------------------

# The speaker's files on disk: pure but for the disk itself.
MORE_speaker-disk := $(patsubst %,devices/speaker/%.c,io_disk io_receipts \
        io_content slot receipt codec) $(patsubst %,proto/io/%.c,log failpoint)
LIBS_speaker-disk := $(call libs,libuv)

# What people type and read, without the connection that the rest of loactl needs.
MORE_loactl-words := services/loactl/when.c services/loactl/words.c

# test/unit/<folder>/test_*.c is linked with the pure objects of that folder,
# wherever in the tree it is, and with libloa-proto.a.
unit_home = $(firstword $(wildcard services/$(1) devices/$(1) broker-plugins/$(1)))
unit_objs = $(if $(filter proto,$(1)),,$(if $(filter common,$(1)),$(B)/libloa-io.a $(B)/libloa-client.a,\
            $(filter-out %/plugin.o,$(call obj,$(call pure_src,$(call unit_home,$(1))) $(MORE_$(1))))))
UNIT_DIRS := $(notdir $(patsubst %/,%,$(wildcard test/unit/*/)))
define unit
$(B)/test/unit/$(1)/%: $(B)/test/unit/$(1)/%.o $(call unit_objs,$(1)) $(B)/libloa-proto.a
	$$(call Q,LD)$$(CC) $$(ALL_CFLAGS) $$^ $$(LIBS_$(1)) $$(call libs,$$(if $$(filter common,$(1)),$$(PKGS_IO)) $$(PKGS_PROTO)) -lm -o $$@
endef
$(foreach d,$(UNIT_DIRS),$(eval $(call unit,$(d))))
UNITS := $(patsubst %.c,$(B)/%,$(wildcard test/unit/*/test_*.c))

# test/sim/<folder>/sim_*.c: whole cores in simulated time, from seeds.
define sim
$(B)/test/sim/$(1)/%: ALL_CFLAGS += -Itest/unit/$(1)
$(B)/test/sim/$(1)/%: $(B)/test/sim/$(1)/%.o $(call unit_objs,$(1)) $(B)/libloa-proto.a
	$$(call Q,LD)$$(CC) $$(ALL_CFLAGS) $$^ $$(LIBS_$(1)) $$(call libs,$$(PKGS_PROTO)) -lm -o $$@
endef
$(foreach d,$(filter-out days,$(notdir $(patsubst %/,%,$(wildcard test/sim/*/)))),$(eval $(call sim,$(d))))
# Days: the speaker's core with programmes by the scheduler's.
$(B)/test/sim/days/sim_days: ALL_CFLAGS += -Itest/unit/speaker -Itest/sim/days
$(B)/test/sim/days/sim_days: $(call obj,$(wildcard test/sim/days/*.c)) $(call obj,$(call pure_src,devices/speaker)) \
  $(filter-out %/wire.o,$(call obj,$(call pure_src,services/scheduler))) $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ -Wl,--wrap=loa_sign,--wrap=loa_sign_verify $(call libs,$(PKGS_PROTO)) -lm -o $@
UNITS += $(patsubst %.c,$(B)/%,$(wildcard test/sim/*/sim_*.c))

# test/oom/<folder>/oom_*.c: the n-th allocation fails, for every n.
OOM_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc loa_arena_init loa_arena_alloc)
define oom
$(B)/test/oom/$(1)/%: ALL_CFLAGS += -Itest/unit/$(1)
$(B)/test/oom/$(1)/%: $(B)/test/oom/$(1)/%.o $(call unit_objs,$(1)) $(B)/libloa-proto.a
	$$(call Q,LD)$$(CC) $$(ALL_CFLAGS) $$^ $(OOM_WRAP) $$(LIBS_$(1)) $$(call libs,$$(PKGS_PROTO)) -lm -o $$@
endef
$(foreach d,$(notdir $(patsubst %/,%,$(wildcard test/oom/*/))),$(eval $(call oom,$(d))))
OOMS := $(patsubst %.c,$(B)/%,$(wildcard test/oom/*/oom_*.c))
$(B)/test/oom/nth.so: test/oom/nth.c
	$(call Q,LD)mkdir -p $(@D) && $(CC) $(CFLAGS) -std=c11 -D_GNU_SOURCE -fPIC -fno-builtin -shared $< -o $@
OOM_STEP ?= 1
RUNS     ?= 300
oom: all $(OOMS) $(B)/test/oom/nth.so ## every allocation fails, once and for good; RUNS= SEED= of whole processes
	@for t in $(OOMS); do $$t $(OOM_STEP) || exit 1; done
	@/usr/bin/python3 test/oom/processes.py --build $(B) --runs $(RUNS) --seed $(SEED)
.PHONY: oom


units: $(UNITS)
print-units:
	@echo $(UNITS)

check: check-unit check-pure check-format ## all that needs no broker, no database

check-unit: $(UNITS) ## unit tests: pure objects only
	@for t in $^; do $$t || { echo "FAIL $$t"; exit 1; }; echo "  ok    $$t"; done

# test/integration/test_*.c are programs that need real servers; run_pg.sh starts
# a private PostgreSQL, the programs themselves start a private broker.
$(B)/test/integration/%: $(B)/test/integration/%.o $(B)/libloa-io.a $(B)/libloa-client.a $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(call libs,$(PKGS_IO) $(PKGS_PROTO)) -lm -o $@
RUNTIME_TESTS := $(patsubst %.c,$(B)/%,$(wildcard test/integration/test_*.c))
check-runtime: $(RUNTIME_TESTS) ## the runtime against a real PostgreSQL and a real Mosquitto
	@test/integration/run_pg.sh $^

check-sanitized: deps deps-test ## the integration tests under ASan, UBSan and TSan (long)
	@test/sanitized/run
.PHONY: check-sanitized

# The module that decides what is believed has no line and no branch untested.
COVERED := proto/trust.c proto/chain.c proto/revocation.c proto/replay.c
cover-trust: ## what the unit tests reach of the trust module (gcov)
	@rm -rf build/cover
	@$(MAKE) --no-print-directory B=build/cover CFLAGS='-O0 -g --coverage' \
	  UNITS='$(patsubst %.c,build/cover/%,$(wildcard test/unit/proto/test_*.c))' check-unit
	@test/unit/cover build/cover $(COVERED)
.PHONY: cover-trust

# Tests of a core that reaches for the loop, the database or the broker do not
# link; this finds the rest, and says which object did it.
IMPURE := uv_|PQ|mosquitto_|clock_gettime|gettimeofday|time$$|rand|getenv|open$$|read$$|write$$|fprintf
check-pure: $(PURE) ## no pure object calls I/O, a clock or chance
	@! nm -A -u $(PURE) | grep -E ' U ($(IMPURE))'

C_FILES = $(shell git ls-files '*.c' '*.h')
check-format: ## sources are as clang-format leaves them
	@clang-format --dry-run -Werror $(C_FILES)
# Suppressed: tables of options write fields by offset and type, and a statement
# without parameters has no values; cppcheck cannot know either.
lint: ## cppcheck over every source
	@cppcheck -q --std=c11 --enable=warning,portability --inline-suppr \
	  --error-exitcode=1 --suppress=invalidPointerCast --suppress=ctunullpointer -j2 -I. -Iservices -Idevices \
	  $(filter-out test/%,$(filter %.c,$(C_FILES)))
format: ## rewrite sources with clang-format
	@clang-format -i $(C_FILES)

FUZZ_S ?= 20
HOURS  ?=
fuzz: $(FUZZERS:%=build/fuzz/%) ## every fuzzer FUZZ_S seconds of CPU each; HOURS=N: so much together
	@/usr/bin/python3 test/fuzz/run.py $(if $(HOURS),--hours $(HOURS),--seconds $(FUZZ_S))
fuzz-keep: $(FUZZERS:%=build/fuzz/%) ## what they found out back into test/fuzz/corpus, minimised
	@/usr/bin/python3 test/fuzz/run.py --keep
.PHONY: fuzz-keep

# A harness begins with a comment "link:" and the pure sources that it needs.
FUZZ_CC = $(CLANG) -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer$(1),address,undefined \
  -fno-sanitize-recover=all -I. -Iservices -Idevices -isystem $(G) $(SYS)
FUZZ_O := $(patsubst %.c,build/fuzz/obj/%.o,$(wildcard proto/*.c) $(PB_C))
build/fuzz/obj/%.o: %.c $(PB_C) $(wildcard proto/*.h)
	@mkdir -p $(@D); echo "  FUZZ  $<"; $(call FUZZ_CC,-no-link) -w -c $< -o $@
build/fuzz/libproto.a: $(FUZZ_O)
	@rm -f $@; $(AR) rcs $@ $^
build/fuzz/%: test/fuzz/fuzz_%.c build/fuzz/libproto.a $(wildcard proto/io/*.[ch] services/*/*.[ch] devices/*/*.[ch] \
    broker-plugins/*/*.[ch] test/fuzz/*.h test/attack/*.h test/unit/*/*.h)
	@echo "  FUZZ  $*"; $(FUZZ_CC) $< \
	  $$(awk '{sub(/.*link:/, ""); sub(/^ \* /, ""); e = sub(/\*\//, ""); print; if (e) exit}' $<) build/fuzz/libproto.a \
	  $(call libs,$(PKGS_PROTO) $(PKGS_NAMES)) -lcsv -lm -o $@

# What the plugin costs the broker: see test/bench/broker.py --help.
$(B)/test/bench/%.so: $(B)/test/bench/%.o
	$(call Q,LD)$(CC) $(ALL_CFLAGS) -shared $^ -o $@
$(B)/test/bench/gate_ops: $(filter-out %/plugin.o %/io_state.o,$(call obj,$(wildcard broker-plugins/loa-auth/*.c)))
$(B)/test/bench/%: $(B)/test/bench/%.o $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(call libs,$(PKGS_PROTO)) -o $@
BENCH ?=
bench-broker: $(B)/test/bench/mqtt_load $(B)/test/bench/noop_plugin.so $(B)/loa-auth.so ## broker CPU per delivery, with and without the plugin
	@/usr/bin/python3 test/bench/broker.py --build $(B) $(BENCH)
ONLY ?=
BENCH_BINS := mqtt_load noop_plugin.so trust_ops gate_ops
bench: deps deps-test ## figures, in a table: ONLY=start,speaker,requests,...
	@$(MAKE) --no-print-directory -j2 all $(BENCH_BINS:%=$(B)/test/bench/%)
	@LOA_BUILD=$(B) /usr/bin/python3 test/bench/run.py $(subst $(comma), ,$(ONLY))
.PHONY: bench bench-broker

DAYS ?= 1
sim: $(B)/test/sim/days/sim_days ## simulated days of a loudspeaker: DAYS=10000 SEED=1; SEED=417 alone is that day
	@[ $(DAYS) = 1 ] || { $< faults && $< offline; } && $< $(DAYS) $(SEED)
.PHONY: sim

KILLS ?= 50
SEED  ?= 1
soak: ## kill everything at random, KILLS times from SEED; nothing lost or doubled
	@$(MAKE) --no-print-directory TEST=1 all
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider test/soak
	@/usr/bin/python3 test/soak/soak.py --kills $(KILLS) --seed $(SEED)
.PHONY: soak

# Packages may be missing when this make began, so the building is done by
# another one, which looks for the libraries again.
# The four settings go on in the environment as they were typed.
demo run: export LOA_DEMO_AUDIO := $(value AUDIO)
demo run: export LOA_DEMO_TEXT := $(value TEXT)
demo run: export LOA_DEMO_VAR := $(value VAR)
demo run: export LOA_DEMO_PORT := $(value PORT)
demo: deps ## the main job once on a stack of its own: AUDIO= TEXT= VAR= PORT=
	@$(MAKE) --no-print-directory -j2 all
	@/usr/bin/python3 deploy/local/demo.py --build $(B)
run: deps ## the same, and stay up until Ctrl-C
	@$(MAKE) --no-print-directory -j2 all
	@/usr/bin/python3 deploy/local/demo.py --build $(B) --stay

FILE ?= loa.tar
backup restore: export LOA_DEMO_VAR := $(value VAR)
backup restore: export LOA_BACKUP_FILE := $(value FILE)
backup: ## save a stack, running or not: VAR= FILE=loa.tar (it holds secrets)
	@/usr/bin/python3 deploy/local/backup.py save
restore: deps ## make a stack from it in a new folder: VAR= FILE=loa.tar
	@/usr/bin/python3 deploy/local/backup.py restore
.PHONY: backup restore

# The attacker: test/attack/. The C programs drive the speaker's core itself.
N    ?= 10000000
SEED ?= 1
ATTACKS := $(patsubst %.c,$(B)/%,$(wildcard test/attack/*.c))
$(B)/test/attack/%: $(B)/test/attack/%.o $(call obj,$(call pure_src,devices/speaker)) $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(call libs,$(PKGS_PROTO)) -lm -o $@
attacks: $(ATTACKS)
attack: all attacks ## every named attack and 100,000 mutated messages
	@LOA_BUILD=$(B) /usr/bin/python3 -m pytest -q -p no:cacheprovider test/attack
FIRST ?= 0
soak-attack: $(B)/test/attack/mutate ## mutated messages: N= SEED=, FIRST= to share a run
	@$(B)/test/attack/mutate $(N) $(SEED) $(FIRST)
.PHONY: attack attacks soak-attack

# Power cuts and bad disks: test/power/. The programs link the speaker's core
# with the files that it writes, so that an image costs no process.
IMAGES ?= 100000
POWER_O := $(call obj,$(call pure_src,devices/speaker) $(filter devices/%,$(MORE_speaker-disk)) \
           $(addprefix proto/io/,log.c failpoint.c identity_file.c clock.c) \
           broker-plugins/loa-auth/io_state.c)
POWER   := $(patsubst %,$(B)/test/power/%,live replay faults writers replay_files record.so)
$(B)/test/power/%: ALL_CFLAGS += -Itest/unit/speaker -Ibroker-plugins
$(B)/test/power/record.so: $(patsubst %,$(B)/test/power/record_%.o,calls streams)
$(B)/test/power/%.so: $(B)/test/power/%.o
	$(call Q,LD)$(CC) $(ALL_CFLAGS) -shared $^ -ldl -o $@
$(B)/test/power/%: $(B)/test/power/%.o $(sort $(POWER_O)) $(B)/libloa-proto.a
	$(call Q,LD)$(CC) $(ALL_CFLAGS) $^ $(call libs,libuv $(PKGS_PROTO)) -lm -o $@
power: all $(POWER) ## power cuts, full and broken disks: IMAGES= SEED=
	@/usr/bin/python3 test/power/power.py --build $(B) --images $(IMAGES) --seed $(SEED)
.PHONY: power

test: deps deps-test ## every test; ends with "N passed, N failed"
	@test/run

clean: ## remove build/
	rm -rf build

deps: ## install the Debian packages that running needs (deploy/packages)
	@deploy/install-packages run
deps-test: ## install those that the tests need too
	@deploy/install-packages run test

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | column -t -s@
	@echo "  SAN=address,undefined  TEST=1  V=1  CC=clang  FUZZ_S=600  HOURS=4"

.PHONY: all units print-units lint check check-runtime check-unit check-pure check-format format fuzz clean deps deps-test demo run test help
-include $(shell find $(B) -name '*.d' 2>/dev/null)
