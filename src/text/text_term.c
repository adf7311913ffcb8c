/*
 * text_term.c
 *	  One term's postings in one segment, read forward and window by window;
 *	  bounds of what it adds to scores.
 *
 * A term is a posting list or, for a prefix, the union of many (text_prefix.c).
 * Owns one decoded block; blocks passed over are never decoded.
 */
#include "postgres.h"

#include "errors.h"
#include "text/text_eval.h"

/*
 * Contributions are computed in floats, which round a few times and not
 * monotonically: bounds are raised by far more than that, and by far less than
 * matters.
 */
#define BOUND_SLACK (1.0 + 1e-6)

double
elac_term_bound_of(const ElacTermReader *term, const ElacBm25Query *query, const ElacTextImpact *impacts, uint32 n)
{
	double		weight = term->term->weight;
	double		best = 0;

	if (query->combine == ELAC_COMBINE_BM25F)
		return weight * BOUND_SLACK + query->quantum;
	for (uint32 i = 0; i < n; i++)
	{
		double		tf = impacts[i].tf;
		double		part = tf / (tf + term->field->norm[impacts[i].length_code]);

		best = Max(best, part);
	}
	return Min(weight * best, weight) * BOUND_SLACK + query->quantum;
}

bool
elac_term_open(ElacTermReader *term, ElacTextReader *reader, const ElacBm25Query *query, int field, uint32 number)
{
	const ElacBm25Term *wanted = &query->fields[field].terms[number];
	ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];
	uint32		n = 1;

	memset(term, 0, offsetof(ElacTermReader, docs));
	term->reader = reader;
	term->field = &query->fields[field];
	term->term = wanted;
	term->field_number = field;
	term->bound_group = UINT32_MAX;
	if (wanted->prefix)
	{
		term->prefix = elac_text_prefix_union(reader, wanted->bytes, wanted->len);
		if (term->prefix == NULL)
			return false;
		term->df = term->prefix->df;
		term->nblocks = term->prefix->nblocks;
		term->last_docs = term->prefix->last_docs;
		impacts[0].tf = term->prefix->max_tf;
		impacts[0].length_code = 1;
	}
	else
	{
		ElacTextEntry entry;

		if (!elac_text_lookup(reader, wanted->bytes, wanted->len, &entry))
			return false;
		term->list = elac_posting_list_open(reader, &entry);
		term->entry = entry;
		term->df = term->list->df;
		term->nblocks = term->list->nblocks;
		term->last_docs = term->list->last_docs;
		n = elac_posting_list_impacts(term->list, ELAC_IMPACTS_LIST, 0, impacts);
	}
	term->seen = term->nblocks > 64 ? palloc0(((Size) term->nblocks / 64 + 1) * sizeof(uint64)) : &term->seen_few;
	term->bound = elac_term_bound_of(term, query, impacts, n);
	term->typical = wanted->weight / (1.0 + term->field->k1);
	term->per_window = (uint32) ((uint64) term->df * ELAC_WINDOW / reader->footer.ndocs) + 1;
	elac_text_counters.terms++;
	return true;
}

/* Decodes a block into docs and tfs (NULL: not wanted). */
static uint32
term_decode(const ElacTermReader *term, uint32 block, uint32 *docs, uint32 *tfs)
{
	uint32		first;
	uint32		n;

	if (term->list != NULL)
		return elac_posting_list_decode(term->list, block, docs, tfs);
	first = block * ELAC_TEXT_BLOCK_DOCS;
	n = Min(term->df - first, ELAC_TEXT_BLOCK_DOCS);
	memcpy(docs, term->prefix->docs + first, n * sizeof(uint32));
	if (tfs != NULL)
		memcpy(tfs, term->prefix->tfs + first, n * sizeof(uint32));
	return n;
}

static inline void
count_decoded(ElacTermReader *term, uint32 block)
{
	term->seen[block / 64] |= UINT64CONST(1) << (block % 64);
	elac_text_counters.blocks_decoded++;
}

/* First place of docs[from .. n) that is not below doc; n when there is none. */
static inline uint32
place_of(const uint32 *docs, uint32 from, uint32 n, uint64 doc)
{
	uint32		step = 1;
	uint32		end;

	/* the next few are the likeliest */
	while (from + step < n && docs[from + step - 1] < doc)
	{
		from += step;
		step *= 2;
	}
	end = Min(from + step, n);
	while (from < end)
	{
		uint32		middle = (from + end) / 2;

		if (docs[middle] < doc)
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

/* Makes the current block's postings be at hand, from doc on. */
static inline void
term_load(ElacTermReader *term, ElacDoc doc)
{
	if (!term->decoded)
	{
		term->n = term_decode(term, term->block, term->docs, term->tfs);
		count_decoded(term, term->block);
		if (term->docs[term->n - 1] != term->last_docs[term->block])
			elac_corrupted(term->reader->name, "Block %u of a posting list does not end at its last document.", term->block);
		term->at = 0;
		term->decoded = true;
	}
	if (term->docs[term->at] < doc)
		term->at = place_of(term->docs, term->at, term->n, doc);
}

/* Moves to the block that has the first document not below first. */
static inline void
term_to_block(ElacTermReader *term, ElacDoc first)
{
	if (term->block < term->nblocks && term->last_docs[term->block] < first)
	{
		term->block = place_of(term->last_docs, term->block + 1, term->nblocks, first);
		term->decoded = false;
	}
}

/* First document that a block can have. */
static inline ElacDoc
block_low(const ElacTermReader *term, uint32 block)
{
	return block == 0 ? 0 : term->last_docs[block - 1] + 1;
}

ElacDoc
elac_term_peek(const ElacTermReader *term)
{
	if (term->block >= term->nblocks)
		return ELAC_INVALID_DOC;
	if (term->decoded)
		return term->docs[term->at];
	return block_low(term, term->block);
}

void
elac_term_skip(ElacTermReader *term, ElacDoc first)
{
	term_to_block(term, first);
	if (term->decoded && term->docs[term->at] < first)
		term->at = place_of(term->docs, term->at, term->n, first);
}

bool
elac_term_seek(ElacTermReader *term, ElacDoc doc)
{
	term_to_block(term, doc);
	if (term->block >= term->nblocks)
		return false;
	term_load(term, doc);
	return true;
}

/* Bound of a whole group of blocks; the last one asked for is kept. */
static double
group_bound(ElacTermReader *term, const ElacBm25Query *query, uint32 group)
{
	if (term->bound_group != group)
	{
		ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];
		uint32		n = elac_posting_list_impacts(term->list, ELAC_IMPACTS_GROUP, group, impacts);

		term->group_bound = elac_term_bound_of(term, query, impacts, n);
		term->bound_group = group;
	}
	return term->group_bound;
}

double
elac_term_window_bound(ElacTermReader *term, const ElacBm25Query *query, const ElacWindow *window)
{
	uint64		end = (uint64) window->first + window->ndocs;
	uint32		group;
	uint32		last;
	double		bound;

	if ((uint64) elac_term_peek(term) >= end)
		return 0.0;
	if (term->list == NULL || term->nblocks <= ELAC_TEXT_GROUP_BLOCKS || query->combine == ELAC_COMBINE_BM25F)
		return term->bound;
	group = term->block / ELAC_TEXT_GROUP_BLOCKS;
	bound = group_bound(term, query, group);
	for (;;)
	{
		double		next;

		last = (group + 1) * ELAC_TEXT_GROUP_BLOCKS - 1;
		if (last + 1 >= term->nblocks || term->last_docs[last] >= end - 1)
			return bound;
		next = group_bound(term, query, ++group);
		bound = Max(bound, next);
	}
}

uint32
elac_term_run(ElacTermReader *term, const ElacWindow *window, const uint32 **docs, const uint32 **tfs)
{
	uint64		end = (uint64) window->first + window->ndocs;

	term_to_block(term, window->first);
	while (term->block < term->nblocks)
	{
		uint32		from;

		if ((uint64) elac_term_peek(term) >= end)
			return 0;
		term_load(term, window->first);
		from = term->at;
		if (term->last_docs[term->block] < end)
		{
			*docs = term->docs + from;
			*tfs = term->tfs + from;
			term->block++;
			term->decoded = false;
			return term->n - from;
		}
		term->at = place_of(term->docs, from, term->n, end);
		*docs = term->docs + from;
		*tfs = term->tfs + from;
		return term->at - from;
	}
	return 0;
}

/* Is a bit of [from, to] of a window's bitmap set? */
static bool
any_within(const uint64 *within, uint32 from, uint32 to)
{
	uint32		word = from / 64;
	uint64		bits = within[word] & (PG_UINT64_MAX << (from % 64));

	for (; word < to / 64; bits = within[++word])
		if (bits != 0)
			return true;
	return (bits & (PG_UINT64_MAX >> (63 - to % 64))) != 0;
}

static void
mark_docs(const uint32 *docs, uint32 n, const ElacWindow *window, uint64 *words)
{
	uint32		i = place_of(docs, 0, n, window->first);

	while (i < n && docs[i] - window->first < window->ndocs)
	{
		uint32		word = (docs[i] - window->first) / 64;
		uint64		bits = 0;

		/* the documents of one word together: they would wait for each other in memory */
		for (; i < n && docs[i] - window->first < window->ndocs && (docs[i] - window->first) / 64 == word; i++)
			bits |= UINT64CONST(1) << ((docs[i] - window->first) % 64);
		words[word] |= bits;
	}
}

void
elac_term_mark(ElacTermReader *term, const ElacWindow *window, const uint64 *within, uint64 *words)
{
	uint64		end = (uint64) window->first + window->ndocs;
	uint32		block = term->block;

	while (block > 0 && term->last_docs[block - 1] >= window->first)
		block--;
	for (; block < term->nblocks; block++)
	{
		ElacDoc		low = block_low(term, block);

		if (low >= end)
			break;
		low = Max(low, window->first) - window->first;
		if (within != NULL && !any_within(within, low, Min(term->last_docs[block], (ElacDoc) (end - 1)) - window->first))
			continue;
		if (block == term->block && term->decoded)
		{
			mark_docs(term->docs, term->n, window, words);
			continue;
		}
		count_decoded(term, block);
		if (term->list != NULL)
			elac_posting_list_mark(term->list, block, window->first, window->ndocs, words);
		else
			mark_docs(term->prefix->docs + (Size) block * ELAC_TEXT_BLOCK_DOCS,
					  Min(term->df - block * ELAC_TEXT_BLOCK_DOCS, ELAC_TEXT_BLOCK_DOCS), window, words);
	}
}

void
elac_term_rewind(ElacTermReader *term)
{
	term->block = 0;
	term->decoded = false;
}
