#!/usr/bin/env python3
"""catalogue.py: this machine's package catalogue as rows for COPY.

Reads what apt has on disk (apt-cache dumpavail, and the long descriptions
where they were downloaded) and writes tab-separated rows to standard output:
name, section, priority, size in kB, maintainer, tags, description.  Nothing is
fetched.  Exit code 3 when apt knows too few packages to be worth a search.
"""
import subprocess
import sys

ENOUGH = 1000


def run(*command):
    """Lines of a command's output; nothing when it is missing or fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return []
    return done.stdout.decode("utf-8", "replace").split("\n")


def stanzas(lines):
    """RFC 822 paragraphs as dictionaries; continuation lines joined by newlines."""
    fields, last = {}, None
    for line in lines:
        if not line:
            if fields:
                yield fields
            fields, last = {}, None
        elif line[0] in " \t":
            if last:
                fields[last] += "\n" + line.strip()
        else:
            last, _, value = line.partition(":")
            fields[last] = value.strip()
    if fields:
        yield fields


def long_descriptions():
    """Description-md5 to the English long description, where apt has those files."""
    found = {}
    for name in run("apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Translations"):
        if "Translation-en" not in name:
            continue
        for fields in stanzas(run("/usr/lib/apt/apt-helper", "cat-file", name)):
            for key, text in fields.items():
                if key.startswith("Description-en"):
                    found[fields.get("Description-md5", "")] = text
    return found


def clean(text):
    """Paragraphs of a description without the format's dots for empty lines."""
    return "\n".join("" if line == "." else line for line in text.split("\n"))


def escape(value):
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "")


def array(words):
    """An array's text form."""
    return "{" + ",".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words) + "}"


def main():
    texts = long_descriptions()
    seen = set()
    for fields in stanzas(run("apt-cache", "dumpavail")):
        name = fields.get("Package")
        description = fields.get("Description") or fields.get("Description-en")
        if not name or not description or name in seen:
            continue
        seen.add(name)
        size = fields.get("Installed-Size", "")
        tags = [tag.strip() for tag in fields.get("Tag", "").replace("\n", " ").split(",") if tag.strip()]
        row = (name, fields.get("Section"), fields.get("Priority"),
               size if size.isdigit() else None, fields.get("Maintainer"), array(tags),
               clean(texts.get(fields.get("Description-md5"), description)))
        print("\t".join(escape(value) for value in row))
    return 0 if len(seen) >= ENOUGH else 3


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main())
