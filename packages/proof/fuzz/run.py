"""Asks every operation of a served OpenAPI document many times as one role, and says what does not hold.

  run.py --url http://127.0.0.1:8080 --role operator --cases 100 --seed 1 [--only subscriptions.get]

The superuser's token comes in FUZZ_TOKEN, the database in FUZZ_DATABASE_URL, the table of permissions in FUZZ_TABLE.
Prints one line per operation and, at the end, one JSON line. What it asks is made by schemathesis from the document:
two of three requests are valid by it, with ids of real things put in; the others break it in one way or another.
"""

import argparse
import json
import os
import random
import re
import sys
import time
from collections import Counter

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.checks import not_a_server_error

from changes import Changes
from filling import Filling
from permissions import COLUMNS, permissions
from world import PROTOCOL, World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

# What can be done once to a thing, besides deleting it.
SPENDS = re.compile(r"revoke|quarantine\.(apply|dismiss)")

# Where 429 is about guessing, not about asking often.
PASSWORDS = re.compile(r"signIn|[pP]assword")

# Changes that a refused request may make, by operation.
ALLOWED = {
    "node.reports": {"report_conflict": "a batch that contradicts an applied one is kept aside and audited", "audit_log": "the same"},
}


class Fuzzer:
    def __init__(self, world, changes, role, table, chance):
        self.world = world
        self.changes = changes
        self.role = role
        self.table = table
        self.filling = Filling(world, random.Random(chance))
        self.failures = {}
        self.slowest = (0, "")
        self.refused = {}

    def expected(self, name):
        """The cell of the role."""
        cells = self.table.get(name)
        if cells is None:
            raise SystemExit(f"{name} has no row in the table of permissions")
        return cells[COLUMNS[self.role]]

    def fail(self, name, check, detail, case=None, response=None):
        """Keeps the first of each kind, with how to repeat it."""
        key = f"{name}: {check}"
        found = self.failures.setdefault(key, {"operation": name, "check": check, "count": 0, "detail": detail})
        found["count"] += 1
        if found["count"] == 1 and case is not None:
            found["request"] = f"{case.method} {case.formatted_path} {case.query or ''} {case.body!r}"[:1500]
            found["answer"] = "" if response is None else f"{response.status_code} {response.text[:800]}"

    def once(self, case, name, is_valid, seen):
        headers_made = len(case.headers or {})
        whose = self.filling.fill(case, name, is_valid)
        is_lighter = len(case.headers or {}) < headers_made
        headers = {"authorization": f"Bearer {self.world.token}"}
        if name.startswith("node."):
            headers.update(PROTOCOL)
        self.changes.take()
        began = time.monotonic()
        response = case.call(session=self.world.session, headers=headers, timeout=90)
        if response.status_code == 429 and not PASSWORDS.search(name):
            time.sleep(min(int(response.headers["retry-after"][0]), 5))
            response = case.call(session=self.world.session, headers=headers, timeout=90)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, (took, name))
        seen[response.status_code] += 1
        changed = self.changes.take() if response.status_code >= 400 or case.method == "GET" else []
        changed = [change for change in changed if change[0] not in ALLOWED.get(name, {})]
        if changed:
            kinds = ", ".join(sorted({f"{op} {table}" for table, op, _ in changed}))
            self.fail(name, "nothing_changed", f"{response.status_code}, but {kinds}: {changed[0][2][:400]}", case, response)
        # A request line that Node's parser does not take; it never was a request to the API.
        checks = [] if response.status_code == 431 else CHECKS
        # A list in a query is sent as text, an empty one as nothing at all: what is wrong with it may not arrive. Nor does
        # a header that was left out.
        if is_lighter or any(isinstance(value, (list, dict)) for value in (case.query or {}).values()):
            checks = [check for check in checks if check is not negative_data_rejection]
        try:
            if checks:
                case.validate_response(response, checks=checks, headers=headers)
        except FailureGroup as group:
            for failure in group.exceptions:
                # Agents of another minor version may name what this one does not know.
                if name.startswith("node.") and "`additionalProperties`" in str(failure):
                    continue
                self.fail(name, type(failure).__name__, str(failure)[:1500], case, response)
        if whose in ("others", "unowned") and self.role == "operator" and response.status_code < 400:
            self.fail(name, "reached_anothers", f"{whose}: {response.status_code}", case, response)
        if is_valid and response.status_code == 400:
            self.refused.setdefault(name, Counter())[response.json()["detail"][:90]] += 1
        self.look_after(case, name, response)

    def look_after(self, case, name, response):
        """Keeps the pools and the actor's session good for the next case."""
        ident = (case.path_parameters or {}).get("id")
        if response.status_code == 404 or (response.status_code < 300 and case.method in ("DELETE", "POST", "PUT")):
            if ident is not None and (response.status_code == 404 or case.method == "DELETE" or SPENDS.search(name)):
                self.world.gone(ident)
        changes_people = name.split(".")[0] in ("session", "sessions", "users", "nodes") and case.method != "GET"
        is_refused = response.status_code == 401 and self.expected(name) not in ("401",)
        if (changes_people and response.status_code < 300) or is_refused:
            if not self.world.is_signed_in():
                self.world.sign_in()

    def operation(self, operation, name, cases, chance):
        """At least so many cases, two thirds valid; answers how often each status came."""
        seen = Counter()
        plan = [(GenerationMode.POSITIVE, cases - cases // 3), (GenerationMode.NEGATIVE, cases // 3)]
        for mode, wanted in plan:
            before, tries = sum(seen.values()), 0
            while sum(seen.values()) - before < wanted:
                missing = wanted - (sum(seen.values()) - before)
                try:
                    self.batch(operation, name, mode, missing, chance + tries, seen)
                except HypothesisException:
                    mode = GenerationMode.POSITIVE
                tries += 1
        return seen

    def batch(self, operation, name, mode, count, chance, seen):
        is_valid = mode == GenerationMode.POSITIVE
        limit = [count]

        @seed(chance)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            if limit[0] > 0:
                limit[0] -= 1
                self.once(case, name, is_valid, seen)

        ask()


def is_reached(seen):
    return any(200 <= status < 300 for status in seen)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--role", choices=["superuser", "operator", "node"], required=True)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()

    rejections = ["400", "401", "403", "404", "409", "412", "413", "415", "422", "429"]
    config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": rejections}}})
    schema = schemathesis.openapi.from_url(f"{options.url}/openapi.json", config=config)
    world = World(options.url, os.environ["FUZZ_TOKEN"], options.role, options.seed)
    changes = Changes(os.environ["FUZZ_DATABASE_URL"])
    fuzzer = Fuzzer(world, changes, options.role, permissions(os.environ["FUZZ_TABLE"]), options.seed)
    operations, began = [], time.monotonic()
    for result in schema.get_all_operations():
        operation = result.ok()
        name = operation.definition.raw["operationId"]
        if options.only and name not in options.only:
            continue
        started = time.monotonic()
        may = fuzzer.expected(name) in ("ok", "own")
        # A key is refused at the door of all but its own few operations.
        wanted = options.cases if may or options.role != "node" else max(options.cases // 10, 1)
        seen = fuzzer.operation(operation, name, wanted, options.seed)
        more = 0
        while may and not is_reached(seen) and (more := more + 1) <= 3:
            fuzzer.batch(operation, name, GenerationMode.POSITIVE, wanted, options.seed + 1000 * more, seen)
        reached = is_reached(seen)
        if may and not reached:
            fuzzer.fail(name, "reached", f"no case was answered with a 2xx: {dict(seen)}")
        statuses = " ".join(f"{status}x{count}" for status, count in sorted(seen.items()))
        note = "" if may else f"  (the role never may: {fuzzer.expected(name)})"
        print(f"{name:32} {sum(seen.values()):4} cases {time.monotonic() - started:5.1f} s  {statuses}{note}", flush=True)
        for detail, count in fuzzer.refused.get(name, Counter()).most_common(3):
            print(f"    valid by the document, refused {count} times: {detail}", flush=True)
        operations.append({"name": name, "cases": sum(seen.values()), "wanted": wanted, "reached": reached, "may": may})
    outcome = {
        "role": options.role,
        "operations": operations,
        "failures": list(fuzzer.failures.values()),
        "tables": len(changes.tables),
        "seconds": round(time.monotonic() - began, 1),
        "slowest": f"{fuzzer.slowest[1]} {fuzzer.slowest[0]:.2f} s",
    }
    print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    sys.exit(main())
