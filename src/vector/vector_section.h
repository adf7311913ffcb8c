/*
 * vector_section.h
 *	  The vector section of a segment: RaBitQ codes in cluster order.
 *
 * Documents are numbered in the order of their leaf; a list is a range of
 * numbers.  Lists 0 .. nlists-1 hold finite vectors, then one list of NAN and
 * one of NULL rows, which have no codes.
 */
#ifndef ELAC_VECTOR_SECTION_H
#define ELAC_VECTOR_SECTION_H

#include "elacsym.h"

#include "base/bitmap.h"
#include "storage/blob.h"
#include "vector/codebook.h"

/* ---- writing ---- */

typedef struct ElacVectorWriter ElacVectorWriter;

/* ndocs counts all rows; bits 1..8.  Cut is chosen by ndocs. */
extern ElacVectorWriter *elac_vector_writer_begin(const ElacCodebook *codebook, int bits, uint32 ndocs);

/*
 * Adds the next document.  Documents come in order of class (finite, NAN,
 * NULL) and, among finite ones, of leaf.  vector: prepared, NULL unless finite.
 */
extern void elac_vector_writer_add(ElacVectorWriter *writer, ElacVectorClass class, uint32 leaf, const float *vector);

typedef struct ElacVectorReader ElacVectorReader;

/*
 * Adds the next document by copying its codes from a segment of the same bits
 * and a related codebook (elac_codebook_related) whose list for it has the same
 * centroid; false (and nothing added) when it must be encoded anew from its
 * vector.
 */
extern bool elac_vector_writer_copy(ElacVectorWriter *writer, uint32 leaf, ElacVectorReader *from, ElacDoc doc);
extern void elac_vector_writer_finish(ElacVectorWriter *writer, ElacSectionWriter *out);

/* ---- coding apart from writing: builds code rows before they are sorted ---- */

typedef struct ElacVectorEncoder ElacVectorEncoder;

/* Codes for lists of a cut; up to cache_bytes of rotated centroids are kept. */
extern ElacVectorEncoder *elac_vector_encoder_begin(const ElacCodebook *codebook, int bits, int cut, Size cache_bytes);

extern void elac_vector_encoder_end(ElacVectorEncoder *encoder);

/* Bytes of a coded document. */
extern Size elac_vector_encoder_bytes(const ElacVectorEncoder *encoder);

/* Codes a prepared vector whose leaf is known. */
extern void elac_vector_encode(ElacVectorEncoder *encoder, uint32 leaf, const float *vector, uint8 *dst);

/*
 * A writer whose cut is given and whose number of documents need not be known;
 * spool_bytes bounds each of its two spools' memory.
 */
extern ElacVectorWriter *elac_vector_writer_begin_cut(const ElacCodebook *codebook, int bits, int cut, Size spool_bytes);

/* As elac_vector_writer_add() for a finite document coded for the same codebook, bits and cut. */
extern void elac_vector_writer_add_coded(ElacVectorWriter *writer, uint32 leaf, const uint8 *coded);

/* ---- reading ---- */

/* Validates the section's header and list offsets against ndocs and codebook. */
extern ElacVectorReader *elac_vector_open(const ElacSection *section, const ElacCodebook *codebook, uint32 ndocs);
extern uint32 elac_vector_nlists(const ElacVectorReader *reader);
extern int	elac_vector_cut(const ElacVectorReader *reader);
extern int	elac_vector_bits(const ElacVectorReader *reader);

/* Documents [*first, *last) of a list; list nlists is NAN, nlists + 1 NULL. */
extern void elac_vector_list_range(const ElacVectorReader *reader, uint32 list, ElacDoc *first, ElacDoc *last);

/* Leaf of a finite document as stored (kept for merges); class of any document. */
extern ElacVectorClass elac_vector_doc_class(ElacVectorReader *reader, ElacDoc doc);
extern uint32 elac_vector_doc_leaf(ElacVectorReader *reader, ElacDoc doc);

/* ---- searching ---- */

/* A query, prepared once per scan for one codebook: rotation and look-up tables. */
typedef struct ElacVectorQuery ElacVectorQuery;

extern ElacVectorQuery *elac_vector_query_begin(const ElacCodebook *codebook, const float *prepared, double epsilon);

/*
 * Lists of a cut in ascending distance from the query to their centroids;
 * palloc'd array of nlists.  Cached in the query per cut.
 */
extern const uint32 *elac_vector_query_lists(ElacVectorQuery *query, int cut);

/* Lists of a cut as a query meets them. */
typedef struct ElacVectorLists
{
	uint32		n;				/* how many are known, nearest first */
	const uint32 *order;		/* their numbers */
	const float *distance;		/* of their centroids, beside order: L2 squared, or -ip, or 1 - ip */
} ElacVectorLists;

/*
 * The n nearest lists of a cut (all when there are not so many), in ascending
 * exact distance of their centroids.  What was handed out stays, so the next
 * call goes on where this one ended; order and distance stay where they are as
 * long as the query.  Asking for few is cheap: only the coded centroids are
 * looked at for lists far away.  An estimate's bound that fails (2.5 standard
 * deviations) puts a list later than its distance says, never loses it.
 */
extern const ElacVectorLists *elac_vector_query_ensure(ElacVectorQuery *query, int cut, uint32 n);

/* A document found, with its estimated distance and a probable lower bound. */
typedef struct ElacVectorCandidate
{
	float		estimate;		/* in the metric's internal unit: L2 squared, or -ip, or 1 - ip */
	float		lower;			/* estimate minus its error */
	uint32		source;
	ElacDoc		doc;
} ElacVectorCandidate;

/*
 * The candidates of a scan, shared by all its sources so that a threshold
 * found in one prunes the next: the best `wanted` by estimate or, bounded, all
 * that may be among the best `wanted`.  Fewer than `wanted` candidates in the
 * end mean that none was left out.
 */
typedef struct ElacVectorHeap ElacVectorHeap;

extern ElacVectorHeap *elac_vector_heap_create(uint32 wanted);
extern ElacVectorHeap *elac_vector_heap_create_bounded(uint32 wanted);
extern void elac_vector_heap_push(ElacVectorHeap *heap, const ElacVectorCandidate *candidate);

/*
 * Watches the best k candidates by estimate of an empty heap whose capacity is
 * at least k; with records, keeps the candidates that entered them, in order.
 * Calls of elac_vector_heap_moved() say whether the best k have changed since
 * the call before.  Gone with the heap's context; finish leaves it as it is.
 */
extern void elac_vector_heap_watch(ElacVectorHeap *heap, uint32 k, bool records);
extern bool elac_vector_heap_moved(ElacVectorHeap *heap);
extern const ElacVectorCandidate *elac_vector_heap_recorded(ElacVectorHeap *heap, uint32 *n);

/*
 * What no candidate that was refused, or will be, is below: by its estimate,
 * or in a bounded heap by its lower bound.  Infinity while the heap is not full.
 */
extern float elac_vector_heap_threshold(const ElacVectorHeap *heap);

/* Sorted by lower bound, ascending; empties the heap.  palloc'd. */
extern ElacVectorCandidate *elac_vector_heap_finish(ElacVectorHeap *heap, uint32 *ncandidates);

/* Declares the ranges that scanning lists would read. */
extern void elac_vector_prefetch(ElacVectorReader *reader, const uint32 *lists, uint32 nlists);

/*
 * Scans lists: 1-bit pass with bound, then full codes of survivors, into heap.
 * allowed: documents that may be returned (live and filtered), NULL = all.
 * Returns the number of documents scored.
 */
extern uint64 elac_vector_scan(ElacVectorReader *reader, ElacVectorQuery *query, const uint32 *lists, uint32 nlists,
							   const ElacBitmap *allowed, uint32 source, ElacVectorHeap *heap);

/* Deep check: every code's factors finite, padding zero, leaves in order; raises. */
extern void elac_vector_verify(ElacVectorReader *reader);

#endif							/* ELAC_VECTOR_SECTION_H */
