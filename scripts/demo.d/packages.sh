# packages.sh: what scripts/demo does with rows of the package catalogue.
# Sourced; sets source_is, model_text, title, query and more.

source_is="the packages that apt knows: names, sections, sizes in kB, tags, descriptions"

# What is embedded.
model_text="concat_ws(' ', name, section, translate(array_to_string(tags, ' '), ':-', '  '), description)"

title[vector]="packages like 'align DNA sequences of a genome'"
query[vector]="SELECT name, section, left(split_part(description, E'\n', 1), 60) AS description,
       round((embedding <=> embed('align DNA sequences of a genome'))::numeric, 4) AS distance
  FROM packages
 ORDER BY embedding <=> embed('align DNA sequences of a genome') LIMIT 8;"

title[text]="BM25 over one field; the operator gives the negative score"
query[text]="SELECT name, section, left(split_part(description, E'\n', 1), 60) AS description,
       round((description <@> 'image viewer')::numeric, 4) AS score
  FROM packages
 ORDER BY description <@> 'image viewer' LIMIT 8;"

title[filtered]="any tree of conditions is applied inside the index"
query[filtered]="SELECT name, section, size, left(split_part(description, E'\n', 1), 50) AS description
  FROM packages
 WHERE size < 2000 AND (section IN ('sound', 'video') OR tags @> '{interface::commandline}')
 ORDER BY embedding <=> embed('convert audio files') LIMIT 8;"

title[hybrid]="both, fused by reciprocal rank, in one call"
query[hybrid]="SELECT (s.doc).name, left(split_part((s.doc).description, E'\n', 1), 60) AS description,
       round(s.score::numeric, 5) AS score, s.vector_rank, s.text_rank
  FROM elacsym_search(NULL::packages, vector => embed('music player'), text => 'music player',
                      filter => 'section <> ''libs'' AND size < 20000', k => 8) s;"

more="SELECT (s.doc).name, s.vector_rank, s.text_rank
  FROM elacsym_search(NULL::packages, vector => embed('make backups'), text => 'make backups') s;"
