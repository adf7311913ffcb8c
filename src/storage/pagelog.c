/*
 * pagelog.c
 *	  The only writer of pages.
 *
 * A change is one generic WAL record of up to four pages.  The caller holds
 * exclusive content locks from elac_pagelog_page() until after the commit, and
 * has made sure that what it leaves behind can be searched.  Which pages
 * change together, and in which order they are locked, is not decided here.
 *
 * A page to be changed (not initialised) is checked first, its checksum
 * included: a damaged page must not get a fresh checksum by being written.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"

#include "compat.h"
#include "errors.h"
#include "storage/pagelog.h"

void
elac_pagelog_begin(ElacPageLog *log, Relation index)
{
	memset(log, 0, sizeof(*log));
	log->index = index;
	log->state = GenericXLogStart(index);
}

Page
elac_pagelog_page(ElacPageLog *log, Buffer buffer, bool fresh)
{
	ElacRelFile file;
	ForkNumber	fork;
	BlockNumber block;
	const char *why;
	Page		page;

	if (log->npages >= ELAC_PAGELOG_MAX)
		elog(ERROR, "a WAL record of elacsym has %d pages at most", ELAC_PAGELOG_MAX);
	BufferGetTag(buffer, &file, &fork, &block);
	if (!fresh && !elac_page_is_ours(BufferGetPage(buffer), true, &why))
		elac_corrupted(RelationGetRelationName(log->index), "Block %u: %s.", block, why);

	page = GenericXLogRegisterBuffer(log->state, buffer, fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
	log->buffers[log->npages] = buffer;
	log->pages[log->npages++] = page;
	if (fork == INIT_FORKNUM)
		log->init_fork = true;
	return page;
}

/*
 * Generic WAL writes no record for an unlogged relation, but its init fork
 * must reach standbys and survive a crash: log its pages whole.
 */
static void
elac_pagelog_log_init_fork(ElacPageLog *log)
{
	START_CRIT_SECTION();
	for (int i = 0; i < log->npages; i++)
	{
		MarkBufferDirty(log->buffers[i]);
		log_newpage_buffer(log->buffers[i], true);
	}
	END_CRIT_SECTION();
}

void
elac_pagelog_commit(ElacPageLog *log)
{
	for (int i = 0; i < log->npages; i++)
	{
		Page		page = log->pages[i];
		const char *why;

		if (!elac_page_is_ours(page, false, &why))
			elog(ERROR, "index \"%s\": cannot write block %u: %s",
				 RelationGetRelationName(log->index), BufferGetBlockNumber(log->buffers[i]), why);
		ElacPageGetTail(page)->crc = elac_page_crc(page);
	}
	GenericXLogFinish(log->state);
	log->state = NULL;
	if (log->init_fork)
		elac_pagelog_log_init_fork(log);
}

void
elac_pagelog_abort(ElacPageLog *log)
{
	GenericXLogAbort(log->state);
	log->state = NULL;
}
