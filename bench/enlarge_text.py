#!/usr/bin/python3
"""Makes a larger set of texts from a small one: enlarge_text.py SET_FOLDER ROWS OUT_FOLDER

SET_FOLDER/docs.tsv holds id, title and text, as bench/run.py reads them.  OUT_FOLDER/passages.tsv (docs.tsv is another
name for it) gets the same columns: the set's own rows first, then copies of them in the same order.  About half of a copy's sentences are its
passage's own, the others those of passages nearby, which speak of the same things; so words that go together still do,
and neighbours in the table are alike.  In each copy about half of the words that at most RARE passages have are spelt
otherwise, by letters and digits exchanged, so that the vocabulary grows as it does in real text.  Every run gives the
same bytes.  The queries are copied, too.
"""
import collections
import os
import random
import re
import shutil
import sys
import zlib

RARE = 5        # passages
CHANGED = .55   # share of the rare words that a copy spells otherwise
OWN = .5        # share of a copy's sentences that are its passage's
NEAR = 12       # passages before and after that lend the others
LONGER = .22    # share of the copies with one sentence more

WORD = re.compile("[A-Za-z0-9]+")
SENTENCE = re.compile("(?<=[.!?]) ")
LETTERS = ("aeiou", "AEIOU", "bcdfghjklmnpqrstvwxyz", "BCDFGHJKLMNPQRSTVWXYZ", "0123456789")


def respelt(word, copy):
    """The word with two characters exchanged for others of their kind, or the word itself."""
    number = zlib.crc32(b"%d %s" % (copy, word.encode()))
    if number % 1000 >= CHANGED * 1000:
        return word
    number //= 1000
    letters = list(word)
    for i in (number % len(word), number // 7 % len(word)):
        kind = next(kind for kind in LETTERS if letters[i] in kind)
        letters[i] = kind[(kind.index(letters[i]) + 1 + number // 97 % (len(kind) - 1)) % len(kind)]
    return "".join(letters)


def read(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def rare_words(rows):
    found = collections.Counter()
    for row in rows:
        found.update(set(WORD.findall(row[2])))
    return {word for word, count in found.items() if count <= RARE}


def split(text, rare):
    """Sentences; one with rare words as a list in which they have the odd places."""
    sentences = []
    for sentence in SENTENCE.split(text):
        parts = []
        at = 0
        for match in WORD.finditer(sentence):
            if match[0] in rare:
                parts += (sentence[at:match.start()], match[0])
                at = match.end()
        sentences.append(parts + [sentence[at:]] if parts else sentence)
    return sentences


def spell(sentence, copy):
    if isinstance(sentence, str):
        return sentence
    return "".join(respelt(part, copy) if i % 2 else part for i, part in enumerate(sentence))


def copy_of(passages, i, copy, rng):
    own = passages[i]
    chosen = []
    for n in range(len(own) + (rng.random() < LONGER)):
        if n < len(own) and rng.random() < OWN:
            chosen.append(own[n])
        else:
            lender = passages[min(max(i + rng.randint(-NEAR, NEAR), 0), len(passages) - 1)]
            chosen.append(lender[rng.randrange(len(lender))])
    return " ".join(spell(sentence, copy) for sentence in chosen)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source, wanted, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    rows = read(os.path.join(source, "docs.tsv"))
    rare = rare_words(rows)
    passages = [split(row[2], rare) for row in rows]
    rng = random.Random(42)
    os.makedirs(out, exist_ok=True)
    for name in ("queries.tsv", "answers.tsv", "sbg_queries.jsonl"):
        if os.path.exists(os.path.join(source, name)):
            shutil.copy(os.path.join(source, name), os.path.join(out, name))
    with open(os.path.join(out, "passages.tsv"), "w", encoding="utf-8", newline="\n") as file:
        for number in range(wanted):
            copy, i = divmod(number, len(rows))
            row = rows[i]
            if copy > 0:
                row = ("%s.%d" % (row[0], copy), row[1], copy_of(passages, i, copy, rng))
            file.write("\t".join(row) + "\n")
    if not os.path.exists(os.path.join(out, "docs.tsv")):
        os.symlink("passages.tsv", os.path.join(out, "docs.tsv"))


main()
