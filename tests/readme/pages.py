#!/usr/bin/python3
"""What the pages for people say, for tests/readme.sh: their code blocks, and what they name.

Each code block has a mark before it, an HTML comment that readers do not see: <!-- test: KIND ARGUMENT -->. A block
without one is an error, so that nothing is left out by accident.

Usage: pages.py blocks PAGE FOLDER            writes each block to FOLDER/NN, prints a line per block: NN KIND ARGUMENT
       pages.py edit FILE BLOCK               sets in the configuration FILE what the TOML in BLOCK sets
       pages.py invocations PAGE...           prints every `roomcam ...` that the pages name, without sudo
       pages.py names REPOSITORY ROOT METRICS OPENAPI PAGE...   checks what the pages name
"""

import json
import os
import re
import sys
import tomllib

KINDS = {"run", "relay", "demo", "names", "load", "edit", "override", "fstab", "alerts", "text"}


def blocks(page):
    """Yields (kind, argument, lines) of each code block, fenced or indented."""
    lines = open(page, encoding="utf-8").read().split("\n")
    mark, number = None, 0
    while number < len(lines):
        line = lines[number]
        found = re.fullmatch(r"<!-- test: (\S+) ?(.*?) -->", line)
        if found:
            mark = found.groups()
            if mark[0] not in KINDS:
                sys.exit(f"{page}:{number + 1}: no such kind of test: {mark[0]}")
        fenced, indented = line.startswith("```"), line.startswith("    ") and lines[number - 1] == ""
        if fenced or indented:
            if mark is None:
                sys.exit(f"{page}:{number + 1}: a code block without a mark: <!-- test: ... -->")
            start = number + 1 if fenced else number
            number = start
            while not (lines[number].startswith("```") if fenced else not lines[number].startswith("    ")):
                number += 1
            yield *mark, [one if fenced else one[4:] for one in lines[start:number]]
            mark = None
        number += 1
    if mark is not None:
        sys.exit(f"{page}: the last mark has no code block")


def edit(path, block):
    """As a person would: takes the "#" away in front of the key, in its section, and puts the value in."""
    lines = open(path, encoding="utf-8").read().split("\n")
    with open(block, encoding="utf-8") as text:
        wanted = text.read()
    tomllib.loads(wanted)
    section = None
    for line in filter(None, wanted.split("\n")):
        if line.startswith("["):
            section = lines.index(line)
            continue
        key = line.split(" = ")[0]
        at = section + 1
        while not re.match(rf"#?{re.escape(key)} = ", lines[at]):
            at += 1
            if at == len(lines) or lines[at].startswith("["):
                sys.exit(f"{path} has no key {key} in {lines[section]}")
        lines[at] = line
    with open(path, "w", encoding="utf-8") as text:
        text.write("\n".join(lines))


def code(page):
    """All pieces of code of a page: spans in the prose, and lines of blocks."""
    text = open(page, encoding="utf-8").read()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    pieces = [span.strip() for span in re.findall(r"`([^`]+)`", prose)]
    for kind, _, lines in blocks(page):
        if kind != "text":
            pieces += re.sub(r"\\\n\s*", "", "\n".join(lines)).split("\n")
    return pieces


def invocations(pages):
    """Every command line of roomcam that they name."""
    found = set()
    for page in pages:
        for piece in code(page):
            piece = re.sub(r"\s+#.*| [|>].*", "", piece)
            match = re.match(r"(?:sudo )?((?:ROOMCAM_\w+=\S+ )?roomcam .+)", piece)
            if match:
                found.add(match[1])
    return sorted(found)


def names(repository, root, metrics, openapi, pages):
    """Prints what is named and does not exist."""
    config = open(f"{repository}/systemd/config.toml", encoding="utf-8").read()
    sections, section = set(), None
    keys = set()
    for line in config.split("\n"):
        if header := re.match(r"#?\[+([a-z_.]+)\]+$", line):
            section = header[1].split(".")[0]
            sections.add(header[1])
        elif key := re.match(r"#?([a-z_]+) = ", line):
            keys.add(key[1])
            sections.add(f"{section}.{key[1]}")
    makefile = open(f"{repository}/Makefile", encoding="utf-8").read()
    unit = open(f"{root}/usr/lib/systemd/system/roomcam.service", encoding="utf-8").read()
    program = open(f"{root}/usr/bin/roomcam", "rb").read()
    metrics = open(metrics, encoding="utf-8").read()
    routes = json.load(open(openapi, encoding="utf-8"))["paths"]
    missing = []

    def must(holds, page, what):
        if not holds:
            missing.append(f"{os.path.relpath(page, repository)}: {what}")

    for page in pages:
        text = open(page, encoding="utf-8").read()
        here = os.path.dirname(page)
        headings = {
            re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)", text, flags=re.M)
        }
        for link in re.findall(r"\]\(([^)]+)\)", text):
            if link.startswith("#"):
                must(link[1:] in headings, page, f"no heading {link}")
            elif "://" not in link:
                must(os.path.exists(f"{here}/{link}"), page, f"no file {link}")
        # What people are said to see is what the program says.
        for row in re.findall(r"^\| \*\*(.*?)\*\*", text, flags=re.M):
            for message in re.findall(r"`([^`]+)`", row):
                must(message.encode() in program, page, f"the program never says: {message}")

        for piece in code(page):
            for target in re.findall(r"\bmake ([a-z-]+)", piece):
                must(re.search(rf"^{target}:", makefile, flags=re.M), page, f"no make {target}")
            for path in re.findall(r"(?:^|\s)((?:cross|systemd|tests|\.ci)/[\w./@-]+)", piece):
                must(os.path.exists(f"{repository}/{path}"), page, f"no file {path}")
            for path in re.findall(r"(?:^|[\s=])(/(?:etc|usr|var|run)/[\w./@-]+)", piece):
                made_by_others = re.match(r"/etc/(roomcam/pipelines|credstore|prometheus|fstab)", path)
                # A socket goes with its service.
                lasting = os.path.dirname(path) if path.endswith(".sock") else path
                must(made_by_others or os.path.lexists(root + lasting), page, f"no {path} after an installation")
            for unit_name in re.findall(r"\b(?:systemctl|systemd-analyze) .*?\b(roomcam\S*)", piece):
                file = re.sub(r"@.*", "@", unit_name.removesuffix(".service")) + ".service"
                must(os.path.exists(f"{root}/usr/lib/systemd/system/{file}"), page, f"no unit {unit_name}")
            for route in re.findall(r"(?:^|localhost)(/(?:v1/[\w.]+|metrics|healthz)\b)", piece):
                must(route in routes, page, f"no {route}")
            for name in re.findall(r"\b(?:meeting|capture|panel|control)\.(?!sock\b)[a-z_]+\b", piece):
                must(name in sections, page, f"no key {name}")
            for name in re.findall(r"^([a-z_]+) = ", piece):
                must(name in keys, page, f"no key {name}")
            for variable in re.findall(r"\bROOMCAM_[A-Z_]+\b", piece):
                key = re.sub("_", ".", variable.removeprefix("ROOMCAM_").lower(), count=1)
                must(key in sections or variable.encode() in program, page, f"no variable {variable}")
            for directive in re.findall(r"^(Environment=|[A-Z][a-z][A-Za-z]+=[\w:.]*)", piece):
                of_journald = directive == "Storage=volatile"
                must(of_journald or re.search(rf"^{directive}", unit, flags=re.M), page, f"the unit has no {directive}")
            for name, labels in re.findall(r"\b(roomcam_[a-z_]+)(\{[^}]*\})?", piece):
                sample = re.escape(name) + r"\b" + (r"\{[^}]*" + re.escape(labels[1:-1]) if labels else "")
                must(re.search(f"^{sample}", metrics, flags=re.M), page, f"no metric {name}{labels}")
            if re.fullmatch(r"[a-z]+(_[a-z]+)+", piece) and not piece.startswith("roomcam_"):
                must(piece in keys, page, f"no key {piece}")
    for line in missing:
        print(line, file=sys.stderr)
    sys.exit(1 if missing else 0)


match sys.argv[1:]:
    case ["blocks", page, folder]:
        for number, (kind, argument, lines) in enumerate(blocks(page)):
            with open(f"{folder}/{number:02}", "w", encoding="utf-8") as text:
                text.write("\n".join(lines) + "\n")
            print(f"{number:02} {kind} {argument}".rstrip())
    case ["edit", path, block]:
        edit(path, block)
    case ["invocations", *pages]:
        print("\n".join(invocations(pages)))
    case ["names", repository, root, metrics, openapi, *pages]:
        names(repository, root, metrics, openapi, pages)
    case _:
        sys.exit(__doc__)
