# h2sess: plain GNU make, pkg-config, no configure step. `make help` lists the targets.
#
# BUILD=DIR builds elsewhere; SAN=address (with undefined) or SAN=thread builds for a sanitizer.

BUILD ?= build
SAN ?=
CC ?= cc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
WERROR ?= -Werror

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
SANFLAGS_address = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANFLAGS_thread = -fsanitize=thread -fno-omit-frame-pointer
SANFLAGS = $(SANFLAGS_$(SAN))
OWN_CPPFLAGS = -D_GNU_SOURCE -Iapi -Ilibh2sess/include
OWN_CFLAGS = -std=c11 -fvisibility=hidden -fPIC -pthread $(WARNINGS) $(SANFLAGS)
OWN_LDFLAGS = -pthread $(SANFLAGS)

LIB_PKGS = libnghttp2 openssl libuv libidn2 jansson
WORKER_PKGS = jansson inih libuv
DAEMON_PKGS = libmicrohttpd libuv jansson sqlite3 inih openssl
TEST_PKGS = cmocka $(LIB_PKGS)

pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1))
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1))

API_SRC = $(wildcard api/*.c)
LIB_SRC = $(wildcard libh2sess/src/*.c)
WORKER_SRC = $(wildcard libh2sess/worker/*.c)
APPS = $(patsubst libh2sess/apps/%/,%,$(wildcard libh2sess/apps/*/))
DAEMON_SRC = $(wildcard controld/*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
API_OBJ = $(call obj,$(API_SRC))
LIB_OBJ = $(call obj,$(LIB_SRC)) $(API_OBJ)
WORKER_OBJ = $(call obj,$(WORKER_SRC))
DAEMON_OBJ = $(call obj,$(DAEMON_SRC)) $(API_OBJ)

LIB = $(BUILD)/lib/libh2sess.so.0
WORKER = $(BUILD)/bin/h2sess-worker
DAEMON = $(BUILD)/bin/h2sess-controld
APP_SO = $(patsubst %,$(BUILD)/lib/h2sess/apps/%.so,$(APPS))

all: $(LIB) $(WORKER) $(APP_SO) $(DAEMON)
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

$(WORKER): $(WORKER_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../lib' -o $@ $(WORKER_OBJ) \
		-L$(BUILD)/lib -lh2sess $(call pkg_libs,$(WORKER_PKGS)) -ldl

$(DAEMON): $(DAEMON_OBJ)
	@mkdir -p $(@D)
	$(CC) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $(DAEMON_OBJ) $(call pkg_libs,$(DAEMON_PKGS))

define app_rule
$(BUILD)/lib/h2sess/apps/$(1).so: $(call obj,$(wildcard libh2sess/apps/$(1)/*.c)) $(LIB)
	@mkdir -p $$(@D)
	$(CC) -shared $(OWN_LDFLAGS) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -L$(BUILD)/lib -lh2sess
endef
$(foreach app,$(APPS),$(eval $(call app_rule,$(app))))

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.PHONY: all lib worker controld clean
.DELETE_ON_ERROR:
