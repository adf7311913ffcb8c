/*
 * text_phrase.h
 *	  Where phrases of plain words hold in one segment, for all documents of a
 *	  window at once or for one after the other.
 */
#ifndef ELAC_TEXT_PHRASE_H
#define ELAC_TEXT_PHRASE_H

#include "text/text_eval.h"

typedef struct ElacPhrase ElacPhrase;

/*
 * The phrase whose topmost item this is, over the set's lists; in
 * CurrentMemoryContext, and good as long as the set.  NULL when there is more
 * in it than words: a prefix, another operator, too many of them.
 */
extern ElacPhrase *elac_phrase_open(const ElacTermSet *set, uint32 item);

/* Of a window's documents (a bitmap, which has no bits past its end) leaves those where the phrase holds. */
extern void elac_phrase_window(ElacPhrase *phrase, const ElacWindow *window, uint64 *docs);

/* Does it hold in one document?  Quickest when documents ascend. */
extern bool elac_phrase_check(ElacPhrase *phrase, ElacDoc doc);

/* How many documents of a window one may check before it is cheaper to have read it all. */
extern uint32 elac_phrase_few(const ElacPhrase *phrase);

#endif							/* ELAC_TEXT_PHRASE_H */
