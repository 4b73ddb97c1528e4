# h2sess: plain GNU make, pkg-config, no configure step. `make help` lists the targets.
#
#   BUILD=DIR             build elsewhere
#   SAN=address, thread   build for a sanitizer (address: with undefined), in build/asan or build/tsan
#   JOBS=N                how many things `make check` builds at once
#   DEPENDENCIES=skip     install nothing, ever
#   PREFIX, LIBDIR, DESTDIR   where `make install` puts things (packaging/packaging.mk has the rest)

SAN ?=
BUILD ?= build$(SANDIR_$(SAN))
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CC ?= cc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
WERROR ?= -Werror
DEPENDENCIES ?= install
FUZZ_SECONDS ?= 60

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

SANDIR_address = /asan
SANDIR_thread = /tsan
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
SANFLAGS_address = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# It touches all that is allocated, also what the daemon reserves for a history that tests do not have.
SANFLAGS_thread = -fsanitize=thread -fno-omit-frame-pointer -DEVENT_HISTORY=65536u
SANFLAGS_fuzz = -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
SANFLAGS = $(SANFLAGS_$(SAN))
OWN_CPPFLAGS = -D_GNU_SOURCE -Iapi -Ilibh2sess/include
OWN_CFLAGS = -std=c11 -fvisibility=hidden -fPIC -pthread $(WARNINGS) $(SANFLAGS)
OWN_LDFLAGS = -pthread $(SANFLAGS)

LIB_PKGS = libnghttp2 openssl libuv libidn2 jansson
WORKER_PKGS = jansson inih libuv
DAEMON_PKGS = libmicrohttpd libuv jansson sqlite3 inih openssl libidn2
APP_PKGS = jansson inih
TEST_PKGS = cmocka $(LIB_PKGS) $(DAEMON_PKGS)

pkg_libs = $(shell $(PKG_CONFIG) --libs $(1))
VERSION = $(shell sed -n 's/^\#define H2SESS_VERSION "\(.*\)"/\1/p' libh2sess/include/h2sess/h2sess.h)

# ---- what is built from what ---------------------------------------------------------------------

API_SRC = $(wildcard api/*.c)
LIB_SRC = $(wildcard libh2sess/src/*.c)
WORKER_SRC = $(wildcard libh2sess/worker/*.c)
APPS = $(patsubst libh2sess/apps/%/,%,$(wildcard libh2sess/apps/*/))
APP_SRC = $(wildcard libh2sess/apps/*/*.c)
DAEMON_SRC = $(wildcard controld/*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
API_OBJ = $(call obj,$(API_SRC))
NOTIFY_OBJ = $(call obj,api/notify.c) # of the programs; a library has no words with the service manager
LIB_OBJ = $(call obj,$(LIB_SRC)) $(filter-out $(NOTIFY_OBJ),$(API_OBJ))
WORKER_OBJ = $(call obj,$(WORKER_SRC)) $(NOTIFY_OBJ)
DAEMON_OBJ = $(call obj,$(DAEMON_SRC)) $(API_OBJ)

LIB = $(BUILD)/lib/libh2sess.so.0
WORKER = $(BUILD)/bin/h2sess-worker
DAEMON = $(BUILD)/bin/h2sess-controld
APP_SO = $(patsubst %,$(BUILD)/lib/h2sess/apps/%.so,$(APPS))

all: $(LIB) $(WORKER) $(APP_SO) $(DAEMON) ## build everything (the default)
lib: $(LIB)
worker: $(WORKER) $(APP_SO)
controld: $(DAEMON)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ) libh2sess/src/libh2sess.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,libh2sess.so.0 -Wl,--version-script=libh2sess/src/libh2sess.map \
		-Wl,-z,defs $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(LIB_OBJ) $(call pkg_libs,$(LIB_PKGS))
	ln -sf libh2sess.so.0 $(@D)/libh2sess.so

# Where apps are looked for when there is no ../lib/h2sess/apps beside the binary.
$(BUILD)/obj/libh2sess/worker/plugin.o: OWN_CPPFLAGS += -DAPP_DIR='"$(LIBDIR)/h2sess/apps"'

worker_link = $(CC) $(OWN_LDFLAGS) $(LDFLAGS) $(1) -L$(BUILD)/lib -lh2sess \
	$(call pkg_libs,$(WORKER_PKGS)) -ldl

$(WORKER): $(WORKER_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call worker_link,-Wl$(comma)-rpath$(comma)'$$ORIGIN/../lib' -o $@ $(WORKER_OBJ))

comma = ,

$(BUILD)/obj/controld/health.o: api/openapi.yaml # its text is in there

$(DAEMON): $(DAEMON_OBJ)
	@mkdir -p $(@D)
	$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(DAEMON_OBJ) $(call pkg_libs,$(DAEMON_PKGS))

define app_rule
$(BUILD)/lib/h2sess/apps/$(1).so: $(call obj,$(wildcard libh2sess/apps/$(1)/*.c)) $(LIB)
	@mkdir -p $$(@D)
	$(CC) -shared $(OWN_LDFLAGS) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -L$(BUILD)/lib -lh2sess \
		$$(call pkg_libs,$(APP_PKGS))
endef
$(foreach app,$(APPS),$(eval $(call app_rule,$(app))))

# ---- tests ---------------------------------------------------------------------------------------
#
#   tests/unit/api_*.c, lib_*.c      linked with the objects of api/ and the library
#   tests/unit/controld_*.c          ... of the daemon, but its main.o, and api/
#   tests/unit/worker_*.c            ... of the worker, but its main.o, and the apps; and the library
#   tests/wire/*.c                   linked with libh2sess.so, and tests/wire/support/*.c in each
#   tests/interop/*_main.c           helper programs, linked with libh2sess.so: BUILD/tests/NAME_main
#   tests/fuzz/fuzz_*.c              like the unit tests, by what follows fuzz_ (library by default)
#   tests/package/*.mjs              what is installed; of the plain build only
#   tests/api/*.mjs, interop/*.mjs   a test when it imports node:test, a helper when it does not

test_programs = $(patsubst tests/%.c,$(BUILD)/tests/%,$(1))
UNIT_TESTS = $(call test_programs,$(wildcard tests/unit/*.c))
WIRE_TESTS = $(call test_programs,$(wildcard tests/wire/*.c))
WIRE_SUPPORT_OBJ = $(call obj,$(wildcard tests/wire/support/*.c))
HELPERS = $(patsubst tests/interop/%.c,$(BUILD)/tests/%,$(wildcard tests/interop/*_main.c))
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS = $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZERS))
PACKAGE_TESTS = $(wildcard tests/package/*.mjs)
NODE_TESTS = $(shell grep -ls "['\"]node:test['\"]" tests/api/*.mjs tests/interop/*.mjs)
# What only the plain build shows, or shows as well: texts of ours, a crowd, and programs of others whose requests
# other tests make, too. ThreadSanitizer sees the programs with threads, and those asked by many at once.
PLAIN_ONLY = $(addprefix tests/interop/,browser.mjs fleet.mjs node_rows.mjs push_tshark.mjs readme.mjs)
ASAN_NODE_TESTS = $(filter-out $(PLAIN_ONLY),$(NODE_TESTS))
TSAN_NODE_TESTS = $(filter-out $(addprefix %/,origin_differential.mjs push_curl.mjs push_nghttp.mjs), \
	$(filter tests/interop/%,$(ASAN_NODE_TESTS)))

# Archives: a test pulls what it needs, and only one app's descriptor.
LIB_A = $(BUILD)/obj/lib.a
DAEMON_A = $(BUILD)/obj/controld.a
WORKER_A = $(BUILD)/obj/worker.a
$(LIB_A): $(LIB_OBJ)
$(DAEMON_A): $(filter-out %/controld/main.o,$(DAEMON_OBJ))
$(WORKER_A): $(filter-out %/worker/main.o,$(WORKER_OBJ)) $(call obj,$(APP_SRC))
$(LIB_A) $(DAEMON_A) $(WORKER_A):
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

test_link = $(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1) $(call pkg_libs,$(TEST_PKGS))
inih_libs = $(call pkg_libs,inih)

$(BUILD)/obj/tests/%.o: OWN_CPPFLAGS += -I.

define unit_rule
$(BUILD)/tests/unit/$(1): $(BUILD)/obj/tests/unit/$(1).o $(2)
	@mkdir -p $$(@D)
	$$(call test_link,$$(inih_libs) -ldl)
endef
unit_needs = $(if $(filter controld_%,$(1)),$(DAEMON_A),$(if $(filter worker_%,$(1)),$(WORKER_A) )$(LIB_A))
$(foreach t,$(notdir $(UNIT_TESTS)),$(eval $(call unit_rule,$(t),$(call unit_needs,$(t)))))

$(WIRE_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(WIRE_SUPPORT_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call test_link,-L$(BUILD)/lib -lh2sess -Wl$(comma)-rpath$(comma)'$$ORIGIN/../../lib')

$(HELPERS): $(BUILD)/tests/%: $(BUILD)/obj/tests/interop/%.o $(LIB)
	@mkdir -p $(@D)
	$(call test_link,-L$(BUILD)/lib -lh2sess -Wl$(comma)-rpath$(comma)'$$ORIGIN/../lib')

define replay_rule
$(BUILD)/tests/fuzz/$(1): $(BUILD)/obj/tests/fuzz/$(1).o $(BUILD)/obj/tests/fuzz/replay_main.o $(2)
	@mkdir -p $$(@D)
	$$(call test_link,$$(inih_libs) -ldl)
$(BUILD)/bin/$(1): $(BUILD)/obj/tests/fuzz/$(1).o $(2)
	@mkdir -p $$(@D)
	$$(call test_link,-fsanitize=fuzzer $$(inih_libs) -ldl)
endef
$(foreach t,$(FUZZERS),$(eval $(call replay_rule,$(t),$(call unit_needs,$(patsubst fuzz_%,%,$(t))))))

tests: tests-thread $(REPLAYS) benchmarks ## build the tests
tests-thread: $(UNIT_TESTS) $(WIRE_TESTS) $(HELPERS) # those that ThreadSanitizer is for
fuzzers: $(patsubst %,$(BUILD)/bin/%,$(FUZZERS))

NO_ASLR = $(shell setarch -R true 2>/dev/null && echo setarch -R)

check: dependencies ## install what is missing, build, lint, run every test, with sanitizers too
	$(MAKE) -j$(JOBS) all tests lint
	$(MAKE) -j$(JOBS) SAN=address BUILD=$(BUILD)/asan all tests
	$(MAKE) -j$(JOBS) SAN=thread BUILD=$(BUILD)/tsan all tests-thread
	tests/run H2SESS_BUILD=$(BUILD) $(UNIT_TESTS) $(WIRE_TESTS) $(REPLAYS) $(NODE_TESTS) $(PACKAGE_TESTS) \
		H2SESS_BUILD=$(BUILD)/asan $(patsubst $(BUILD)/%,$(BUILD)/asan/%,$(UNIT_TESTS) \
			$(WIRE_TESTS) $(REPLAYS)) $(ASAN_NODE_TESTS) \
		H2SESS_BUILD=$(BUILD)/tsan "RUN_UNDER=$(NO_ASLR)" \
			$(patsubst $(BUILD)/%,$(BUILD)/tsan/%,$(UNIT_TESTS) $(WIRE_TESTS)) \
			$(TSAN_NODE_TESTS)

check-fast: all tests ## only the plain build's tests, without lint
	tests/run H2SESS_BUILD=$(BUILD) $(UNIT_TESTS) $(WIRE_TESTS) $(REPLAYS) $(NODE_TESTS) $(PACKAGE_TESTS)

dependencies: ## install the packages that are missing (packaging/common/dependencies)
ifneq ($(DEPENDENCIES),skip)
	@packaging/common/install-dependencies
endif

# ---- benchmarks ----------------------------------------------------------------------------------
#
#   tests/bench/*.c          programs that are measured, or measure; tests/bench/support/*.c in each
#   tests/bench/apps/*.c     an app for h2sess-worker each

BENCH_PROGRAMS = $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
BENCH_APPS = $(patsubst tests/bench/apps/%.c,$(BUILD)/tests/bench/%.so,$(wildcard tests/bench/apps/*.c))
BENCH_PKGS = libnghttp2 openssl libmicrohttpd

$(BENCH_PROGRAMS): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(call obj,$(wildcard tests/bench/support/*.c))
	@mkdir -p $(@D)
	$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(BENCH_PKGS))

$(BENCH_APPS): $(BUILD)/tests/bench/%.so: $(BUILD)/obj/tests/bench/apps/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD)/lib -lh2sess

benchmarks: $(BENCH_PROGRAMS) $(BENCH_APPS)

bench: dependencies ## compare with bare libraries: BENCH=ROW,... BENCH_QUICK=1 BENCH_GATE=1
	$(MAKE) -j$(JOBS) all benchmarks
	@H2SESS_BUILD=$(BUILD) tests/bench/run

# ---- lint ----------------------------------------------------------------------------------------

C_SRC = $(API_SRC) $(LIB_SRC) $(WORKER_SRC) $(APP_SRC) $(DAEMON_SRC)
FORMATTED = $(shell find api libh2sess controld tests -name '*.[ch]')
# Other versions format differently, so they are not asked.
CLANG_FORMAT = $(shell command -v clang-format-14 || command -v clang-format)
CLANG_FORMAT_IS_14 = $(findstring version 14.,$(shell $(CLANG_FORMAT) --version))

lint: format-check tidy cppcheck ## clang-format, clang-tidy and cppcheck

format-check:
	@$(if $(CLANG_FORMAT_IS_14),$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED),\
		echo "clang-format is not version 14: the format is not checked" >&2)

format: ## format every C file
	$(CLANG_FORMAT) -i $(FORMATTED)

tidy: $(patsubst %.c,$(BUILD)/lint/%.tidy,$(C_SRC))
$(BUILD)/lint/%.tidy: %.c $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- $(OWN_CPPFLAGS) -DAPP_DIR='""' -std=c11 2>/dev/null
	@touch $@

# Intrusive lists, X-macro tables and "negative means error" are beyond it.
CPPCHECK_SKIP = missingInclude getgrnamCalled getpwnamCalled comparePointers internalAstError \
	invalidFunctionArg nullPointerRedundantCheck negativeIndex

cppcheck: $(BUILD)/lint/cppcheck.done
$(BUILD)/lint/cppcheck.done: $(call obj,$(C_SRC))
	@mkdir -p $(BUILD)/lint/cppcheck
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --library=posix -j$(JOBS) \
		--enable=warning,performance,portability --cppcheck-build-dir=$(BUILD)/lint/cppcheck \
		$(CPPCHECK_SKIP:%=--suppress=%) -D_GNU_SOURCE -DAPP_DIR='""' \
		$(filter -I%,$(OWN_CPPFLAGS)) $(C_SRC)
	@touch $@

# ---- install -------------------------------------------------------------------------------------

INSTALL = install
RPATH = $(if $(filter /usr,$(PREFIX)),,-Wl$(comma)-rpath$(comma)$(LIBDIR))

# The installed worker looks for apps in LIBDIR, and has no way into the build tree.
$(BUILD)/install/h2sess-worker: $(WORKER_OBJ) $(LIB) FORCE
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -DAPP_DIR='"$(LIBDIR)/h2sess/apps"' $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) \
		-c -o $(@D)/plugin.o libh2sess/worker/plugin.c
	$(call worker_link,$(RPATH) -o $@ $(filter-out %/plugin.o,$(WORKER_OBJ)) $(@D)/plugin.o)

$(BUILD)/install/h2sess.pc: packaging/common/h2sess.pc.in FORCE
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< > $@

install: ## install below DESTDIR and PREFIX
install-programs: all $(BUILD)/install/h2sess-worker $(BUILD)/install/h2sess.pc
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/h2sess/apps $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR)/h2sess
	$(INSTALL) -m 0755 $(BUILD)/install/h2sess-worker $(DAEMON) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 0644 $(LIB) $(DESTDIR)$(LIBDIR)/libh2sess.so.$(VERSION)
	ln -sf libh2sess.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libh2sess.so.0
	ln -sf libh2sess.so.0 $(DESTDIR)$(LIBDIR)/libh2sess.so
	$(INSTALL) -m 0644 $(APP_SO) $(DESTDIR)$(LIBDIR)/h2sess/apps
	$(INSTALL) -m 0644 libh2sess/include/h2sess/*.h api/h2sess/*.def $(DESTDIR)$(INCLUDEDIR)/h2sess
	$(INSTALL) -m 0644 $(BUILD)/install/h2sess.pc $(DESTDIR)$(LIBDIR)/pkgconfig

# ---- the rest ------------------------------------------------------------------------------------

soak: $(BUILD)/tests/wire/soak ## 200,000 short sessions, and memory that stays as it is: SOAK=N
	SOAK=$(or $(SOAK),200000) $<

# Both change with the ABI's number alone (tests/package/abi.mjs holds the library against them).
ABI = 0
abi-baseline: $(LIB) ## freeze header and types of an ABI anew: ABI=N, when the number changes
	mkdir -p tests/abi/$(ABI)/h2sess
	cp libh2sess/include/h2sess/*.h $(filter-out %/methods.def %/problems.def %/members.def,$(wildcard api/h2sess/*.def)) \
		tests/abi/$(ABI)/h2sess
	abidw --headers-dir libh2sess/include --drop-private-types --exported-interfaces-only --no-elf-needed \
		--no-comp-dir-path --no-corpus-path --no-show-locs $(LIB) > tests/abi/libh2sess.abi

demo: dependencies ## a worker, a controld, curl lines to paste, and the live event stream
	$(MAKE) -j$(JOBS) all
	@H2SESS_BUILD=$(BUILD) packaging/common/demo

fuzz: dependencies ## fuzz each target for FUZZ_SECONDS (60)
	$(MAKE) -j$(JOBS) CC=clang SAN=fuzz BUILD=$(BUILD)/fuzz fuzzers
	@set -e; for f in $(FUZZERS); do \
		mkdir -p $(BUILD)/fuzz/corpus/$$f tests/fuzz/corpus/$${f#fuzz_}; \
		echo "$$f: $(FUZZ_SECONDS) s"; \
		$(BUILD)/fuzz/bin/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=25 -close_fd_mask=3 -print_final_stats=1 \
			-verbosity=0 -artifact_prefix=$(BUILD)/fuzz/ \
			$(BUILD)/fuzz/corpus/$$f tests/fuzz/corpus/$${f#fuzz_}; \
	done

include packaging/packaging.mk

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.PHONY: abi-baseline soak all lib worker controld tests tests-thread fuzzers check check-fast dependencies lint format-check format \
	tidy cppcheck install install-programs demo fuzz benchmarks bench clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:
