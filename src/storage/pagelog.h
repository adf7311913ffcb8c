/*
 * pagelog.h
 *	  The only writer of pages.  Every change is a generic WAL record that
 *	  leaves a searchable index behind.
 *
 * elac_pagelog_begin .. elac_pagelog_page (up to 4) .. elac_pagelog_commit is
 * one atomic record.  Callers lock buffers in the order of lsm/README.md
 * (metapage, manifest, lane, chain, map, live) and release them afterwards.
 * Commit computes each page's CRC.  Unlogged and temporary indexes take the
 * same path; generic WAL leaves the record out there.  Pages of an init fork
 * are logged whole.
 */
#ifndef ELAC_PAGELOG_H
#define ELAC_PAGELOG_H

#include "elacsym.h"

#include "access/generic_xlog.h"
#include "storage/buf.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#include "storage/page.h"

#define ELAC_PAGELOG_MAX MAX_GENERIC_XLOG_PAGES

typedef struct ElacPageLog
{
	Relation	index;
	GenericXLogState *state;
	int			npages;
	bool		init_fork;		/* pages of an unlogged index's init fork */
	Page		pages[ELAC_PAGELOG_MAX];	/* images to change */
	Buffer		buffers[ELAC_PAGELOG_MAX];
} ElacPageLog;

extern void elac_pagelog_begin(ElacPageLog *log, Relation index);

/*
 * Registers an exclusively locked buffer and returns the image to change.
 * fresh: the page is initialised anew (the caller starts with
 * elac_page_init()), a full image is logged.  Otherwise the page must be a
 * good one, checksum included: raises ERRCODE_INDEX_CORRUPTED if not.
 */
extern Page elac_pagelog_page(ElacPageLog *log, Buffer buffer, bool fresh);

/* Writes the record.  Buffers stay locked and pinned: the caller releases. */
extern void elac_pagelog_commit(ElacPageLog *log);

/* Gives up: nothing registered is changed. */
extern void elac_pagelog_abort(ElacPageLog *log);

#endif							/* ELAC_PAGELOG_H */
