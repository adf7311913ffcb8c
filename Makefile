# elacsym: built with PGXS against the server that PG_CONFIG names.
MODULE_big = elacsym
EXTENSION = elacsym
DATA = elacsym--1.0.sql
PGFILEDESC = "elacsym - hybrid search on object storage"

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS += --inputdir=. --load-extension=elacsym
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS += --inputdir=test --load-extension=elacsym
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

PG_CPPFLAGS = -I$(srcdir)/src
# Not -fvisibility=hidden: PostgreSQL 15 does not mark SQL functions for export.
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
            -Wno-missing-field-initializers -Wno-clobbered $(ELAC_CFLAGS)
SHLIB_LINK = -lcurl -lzstd -lm

# No LLVM bitcode: nothing of ours is worth inlining into JITed expressions.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Objects depend on every header: simple, and a full build takes seconds.
$(OBJS): $(wildcard src/*.h src/*/*.h)

.PHONY: layers
layers:
	tools/check_layers
