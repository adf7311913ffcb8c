/*
 * text_peaks.c
 *	  The peaks of a posting list: those of its postings that score most, kept
 *	  apart with their length codes.  And the search that they allow.
 *
 * A document that is among the peaks of none of the query's terms scores no
 * more than the sum of what the rest of each list can add.  Where the heap's
 * threshold is above that, only peaks need to be read, a sixteenth of the
 * postings; the few documents whose score could still be enough are looked up
 * in the lists where they are no peaks.  The threshold comes from the peaks as
 * well: what is known of a document's score is never more than its score.
 *
 * posting_pack.c writes peaks; the bytes are in text_format.h.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/kernels.h"
#include "base/patched.h"
#include "base/varint.h"
#include "errors.h"
#include "text/text_eval.h"

/* Terms of a query at most, and peaks for each hit wanted at least, that a search by peaks is tried for. */
#define PEAK_TERMS 4
#define PEAKS_PER_HIT 128

/* Looking one candidate up in a list, and decoding a block for it, cost as much as scoring so many postings in bulk. */
#define PEAK_LOOKUP_COST 15
#define PEAK_BLOCK_COST 75

/* With more candidates, so many and so many for each hit are completed to find a better threshold. */
#define PROBES 32
#define PROBES_PER_HIT 4
#define PROBE_CANDIDATES 256

/* Candidates that are kept at most; with more the search is given up.  Room for them at first. */
#define PEAK_CANDIDATES 16384
#define PEAK_CANDIDATES_FIRST 256

/* Bytes of a record of peaks at most: two numbers, pairs, its length. */
#define PEAK_RECORD (2 * ELAC_VARINT_MAX + ELAC_TEXT_IMPACTS_MAX * (ELAC_VARINT_MAX + 1) + 1)

uint64		elac_peaks_postings = 100000;

/* ---- reading ---- */

static void
peaks_corrupted(const ElacTextPeaks *peaks)
{
	elac_corrupted(peaks->reader->name, "The peaks of a posting list of %u documents are malformed.", peaks->entry.df);
}

bool
elac_peaks_open(ElacTextPeaks *peaks, ElacTextReader *reader, const ElacTextEntry *entry)
{
	uint8		record[PEAK_RECORD];
	uint64		len = Min(entry->directory_len, sizeof(record));
	const uint8 *end = record + len - 1;
	const uint8 *src;
	uint64		number;

	if (entry->tier != ELAC_TEXT_FREQUENT || entry->df < ELAC_TEXT_PEAKS_DF)
		return false;
	peaks->reader = reader;
	peaks->entry = *entry;
	peaks->bytes = NULL;
	peaks->next = 0;
	peaks->nrest = 0;
	if (len == 0)
		peaks_corrupted(peaks);
	elac_section_read_head(&reader->section, entry->directory + entry->directory_len - len, record, len);
	if (*end >= len)
		peaks_corrupted(peaks);
	src = end - *end;
	if (!elac_varint_get(&src, end, &number) || number >= entry->df ||
		!elac_varint_get(&src, end, &peaks->nbytes) || peaks->nbytes > entry->len)
		peaks_corrupted(peaks);
	peaks->n = peaks->left = (uint32) number;
	while (src < end)
	{
		if (peaks->nrest == ELAC_TEXT_IMPACTS_MAX || !elac_varint_get(&src, end, &number) ||
			number == 0 || number > UINT32_MAX || src == end)
			peaks_corrupted(peaks);
		peaks->rest[peaks->nrest].tf = (uint32) number;
		peaks->rest[peaks->nrest++].length_code = *src++;
	}
	if (peaks->nrest == 0)
		peaks_corrupted(peaks);
	return true;
}

uint32
elac_peaks_next(ElacTextPeaks *peaks)
{
	uint32		n = Min(peaks->left, ELAC_TEXT_BLOCK_DOCS);
	const uint8 *end;

	if (n == 0)
		return 0;
	if (peaks->bytes == NULL)
	{
		peaks->bytes = palloc_extended(peaks->nbytes + 1, MCXT_ALLOC_HUGE);
		elac_section_read_body(&peaks->reader->section, peaks->entry.offset + peaks->entry.len - peaks->nbytes,
							   peaks->bytes, peaks->nbytes);
		peaks->src = peaks->bytes;
	}
	end = peaks->bytes + peaks->nbytes;
	if (!elac_patched_read(&peaks->src, end, n, 0, peaks->docs) ||
		!elac_kernels()->gaps_to_docs(peaks->docs, n, (uint32) peaks->next) ||
		peaks->docs[n - 1] >= peaks->reader->footer.ndocs ||
		!elac_patched_read(&peaks->src, end, n, 1, peaks->tfs) ||
		!elac_patched_read(&peaks->src, end, n, 0, peaks->codes))
		peaks_corrupted(peaks);
	for (uint32 i = 0; i < n; i++)
		if (peaks->codes[i] > UINT8_MAX)
			peaks_corrupted(peaks);
	peaks->next = (uint64) peaks->docs[n - 1] + 1;
	peaks->left -= n;
	if (peaks->left == 0 && peaks->src != end)
		peaks_corrupted(peaks);
	peaks->count = n;
	elac_text_counters.blocks_decoded++;
	return n;
}

void
elac_peaks_close(ElacTextPeaks *peaks)
{
	if (peaks->bytes != NULL)
		pfree(peaks->bytes);
	peaks->bytes = NULL;
}

/* ---- searching ---- */

/* A term, and which of its peaks is next. */
typedef struct PeakTerm
{
	ElacTermReader *term;
	double		rest;			/* what it adds at most where it has no peak */
	ElacDoc		doc;			/* ELAC_INVALID_DOC: at the end */
	uint32		at;
	double		parts[ELAC_TEXT_BLOCK_DOCS];	/* what the peaks at hand add */
	ElacTextPeaks peaks;
} PeakTerm;

/* A document that is a peak of some terms. */
typedef struct PeakCandidate
{
	ElacDoc		doc;
	uint32		known;			/* bit by term */
	double		score;			/* what these add */
	double		missing;		/* what the others add at most */
} PeakCandidate;

typedef struct PeakSearch
{
	const ElacBm25Query *query;
	bool		all;
	uint32		nterms;
	PeakTerm   *terms;
	uint32		everything;		/* bits of all terms */
	double		rest;			/* of all terms */
	double		threshold;		/* that a candidate must reach */
	/* the best scores that documents have at least: a heap, the worst at the root */
	uint32		nbest;
	uint32		wanted;
	double	   *best;
	uint32		ncandidates;
	uint32		room;
	PeakCandidate *candidates;
} PeakSearch;

/* Makes the term's next peak be at hand. */
static inline void
peak_step(PeakSearch *search, PeakTerm *peak)
{
	const ElacTermReader *term = peak->term;

	if (++peak->at >= peak->peaks.count)
	{
		uint32		n = elac_peaks_next(&peak->peaks);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < n; i++)
			peak->parts[i] = elac_bm25_contribution(term->term->weight, elac_bm25_tf(peak->peaks.tfs[i]),
													term->field->norm[peak->peaks.codes[i]], search->query->rounder);
		peak->at = 0;
		if (n == 0)
		{
			peak->doc = ELAC_INVALID_DOC;
			return;
		}
	}
	peak->doc = peak->peaks.docs[peak->at];
}

/* Keeps the largest of the values it is given: a heap of at most room, the smallest at the root. */
static void
keep_largest(double *heap, uint32 *n, uint32 room, double value)
{
	uint32		position = 0;

	if (*n < room)
	{
		for (position = (*n)++; position > 0 && heap[(position - 1) / 2] > value; position = (position - 1) / 2)
			heap[position] = heap[(position - 1) / 2];
		heap[position] = value;
		return;
	}
	if (value <= heap[0])
		return;
	for (;;)
	{
		uint32		child = position * 2 + 1;

		if (child >= room)
			break;
		if (child + 1 < room && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= value)
			break;
		heap[position] = heap[child];
		position = child;
	}
	heap[position] = value;
}

/* A document that matches has this score at least. */
static inline void
note_score(PeakSearch *search, double score)
{
	keep_largest(search->best, &search->nbest, search->wanted, score);
	if (search->nbest == search->wanted)
		search->threshold = Max(search->threshold, search->best[0]);
}

/* Leaves the candidates that can reach the threshold. */
static void
drop_candidates(PeakSearch *search)
{
	uint32		kept = 0;

	for (uint32 i = 0; i < search->ncandidates; i++)
		if (search->candidates[i].score + search->candidates[i].missing >= search->threshold)
			search->candidates[kept++] = search->candidates[i];
	search->ncandidates = kept;
}

/* Room for one candidate more; false when too many are promising. */
static inline bool
make_room(PeakSearch *search)
{
	if (search->ncandidates < search->room)
		return true;
	drop_candidates(search);
	if (search->ncandidates <= search->room / 2)
		return true;
	if (search->room == PEAK_CANDIDATES)
		return false;
	search->room *= 2;
	search->candidates = repalloc(search->candidates, search->room * sizeof(PeakCandidate));
	return true;
}

/* Goes through the peaks of all terms, document by document; false when too many documents are candidates. */
static bool
find_candidates(PeakSearch *search, const ElacBitmap *allowed)
{
	for (;;)
	{
		PeakCandidate candidate = {ELAC_INVALID_DOC, 0, 0.0, 0.0};

		for (uint32 t = 0; t < search->nterms; t++)
			candidate.doc = Min(candidate.doc, search->terms[t].doc);
		if (candidate.doc == ELAC_INVALID_DOC)
			break;
		for (uint32 t = 0; t < search->nterms; t++)
		{
			PeakTerm   *peak = &search->terms[t];

			if (peak->doc == candidate.doc)
			{
				candidate.score += peak->parts[peak->at];
				candidate.known |= 1u << t;
				peak_step(search, peak);
			}
			else
				candidate.missing += peak->rest;
		}
		if (candidate.score + candidate.missing < search->threshold ||
			(allowed != NULL && !elac_bitmap_get(allowed, candidate.doc)))
			continue;
		if (candidate.score > 0 && (!search->all || candidate.known == search->everything))
			note_score(search, candidate.score);
		if (!make_room(search))
			return false;
		search->candidates[search->ncandidates++] = candidate;
	}
	drop_candidates(search);
	return true;
}

/*
 * Adds what the terms add of which the candidate is no peak; its score is 0
 * when it has not all the terms that it must have.
 */
static void
complete_candidate(PeakSearch *search, PeakCandidate *candidate)
{
	elac_text_counters.documents++;
	candidate->missing = 0;
	for (uint32 t = 0; t < search->nterms; t++)
	{
		ElacTermReader *term = search->terms[t].term;
		uint8		code;

		if ((candidate->known >> t) & 1)
			continue;
		candidate->known |= 1u << t;
		if (elac_term_seek(term, candidate->doc) && term->docs[term->at] == candidate->doc)
		{
			elac_text_norms(term->reader, candidate->doc, 1, &code);
			candidate->score += elac_bm25_contribution(term->term->weight, elac_bm25_tf(term->tfs[term->at]),
													   term->field->norm[code], search->query->rounder);
		}
		else if (search->all)
		{
			candidate->score = 0;
			candidate->known = search->everything;
			return;
		}
	}
}

/* Completes the most promising candidates: the threshold rises to what it will be in the end, nearly. */
static void
probe_candidates(PeakSearch *search)
{
	uint32		room = PROBES + PROBES_PER_HIT * search->wanted;
	double	   *largest = palloc(room * sizeof(double));
	uint32		n = 0;

	if (search->ncandidates == 0)
		return;
	for (uint32 i = 0; i < search->ncandidates; i++)
		keep_largest(largest, &n, room, search->candidates[i].score + search->candidates[i].missing);
	search->nbest = 0;
	for (uint32 i = 0; i < search->ncandidates; i++)
	{
		PeakCandidate *candidate = &search->candidates[i];

		if (candidate->score + candidate->missing >= largest[0] && room > 0)
		{
			complete_candidate(search, candidate);
			room--;
		}
		if (candidate->score > 0 && (!search->all || candidate->known == search->everything))
			note_score(search, candidate->score);
	}
	for (uint32 t = 0; t < search->nterms; t++)
		elac_term_rewind(search->terms[t].term);
	drop_candidates(search);
}

static void
push_candidates(PeakSearch *search, uint32 source, ElacTextHeap *heap)
{
	for (uint32 i = 0; i < search->ncandidates; i++)
	{
		PeakCandidate *candidate = &search->candidates[i];
		double		threshold = elac_text_heap_threshold(heap);
		ElacTextHit hit;

		threshold = Max(threshold, search->threshold);
		if (candidate->score + candidate->missing < threshold)
			continue;
		if (candidate->known != search->everything)
			complete_candidate(search, candidate);
		if (candidate->score < threshold || candidate->score <= 0)
			continue;
		hit.score = candidate->score;
		hit.source = source;
		hit.doc = candidate->doc;
		elac_text_heap_push(heap, &hit);
	}
}

/* Opens the peaks of all terms; false when a term has none, or there are too few for so many hits. */
static bool
open_peaks(PeakSearch *search, ElacTermReader **terms)
{
	uint64		npeaks = 0;

	for (uint32 t = 0; t < search->nterms; t++)
	{
		PeakTerm   *peak = &search->terms[t];

		peak->term = terms[t];
		if (terms[t]->list == NULL || !elac_peaks_open(&peak->peaks, terms[t]->reader, &terms[t]->entry))
			return false;
		peak->rest = elac_term_bound_of(terms[t], search->query, peak->peaks.rest, peak->peaks.nrest);
		search->rest += peak->rest;
		npeaks += peak->peaks.n;
	}
	return npeaks / PEAKS_PER_HIT >= search->wanted;
}

bool
elac_peaks_search(ElacTermSet *set, ElacTermReader **terms, uint32 nterms, bool all,
				  const ElacBitmap *allowed, uint32 source, ElacTextHeap *heap, double *floor)
{
	PeakSearch	search = {set->query};
	uint64		postings = 0;
	uint64		nblocks = 0;
	bool		done = false;

	*floor = 0.0;
	if (nterms == 0 || nterms > PEAK_TERMS)
		return false;
	for (uint32 t = 0; t < nterms; t++)
		postings += terms[t]->df;
	if (postings < elac_peaks_postings)
		return false;
	search.all = all;
	search.nterms = nterms;
	search.everything = (1u << nterms) - 1;
	search.wanted = elac_text_heap_capacity(heap);
	search.threshold = elac_text_heap_threshold(heap);
	search.terms = palloc(nterms * sizeof(PeakTerm));
	if (search.wanted == 0 || !open_peaks(&search, terms))
		return false;
	search.best = palloc(search.wanted * sizeof(double));
	search.room = PEAK_CANDIDATES_FIRST;
	search.candidates = palloc(search.room * sizeof(PeakCandidate));
	for (uint32 t = 0; t < nterms; t++)
	{
		search.terms[t].at = search.terms[t].peaks.count = 0;
		peak_step(&search, &search.terms[t]);
		nblocks += terms[t]->nblocks;
	}
	if (find_candidates(&search, allowed))
	{
		if (search.ncandidates > PROBE_CANDIDATES || search.rest >= search.threshold)
			probe_candidates(&search);
		done = search.rest < search.threshold &&
			(uint64) search.ncandidates * PEAK_LOOKUP_COST + Min(search.ncandidates, nblocks) * PEAK_BLOCK_COST <= postings;
	}
	if (done)
		push_candidates(&search, source, heap);
	else
		*floor = search.threshold;
	return done;
}
