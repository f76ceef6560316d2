"""amavisd's lookups by sender, as [[sender]] tables: white- and blacklists, scores."""

from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.lookups import Options
from amavis_pipe.config.imported.tables import Tables
from amavis_pipe.config.imported.values import FileMap, Unknown, Value, Where

SENDERS = {"whitelist_sender": "white", "blacklist_sender": "black"}


class Senders:
    """Works through them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._result = tables.result

    def carry(self) -> None:
        """Put rules into the result."""
        self._senders()
        self._scores()

    def _senders(self) -> None:
        """White- and blacklists; a file is named, so that it can be kept up as before."""
        for base, word in SENDERS.items():
            if self._tables.given(base) is None:
                continue
            where = self._tables.first([base])
            paths = [value.path for value, _, _ in self._tables.values(base) if isinstance(value, FileMap)]
            kept = [path for path in paths if self._tables.files.fits(path)]
            for path in kept:
                self._result.table(
                    "sender",
                    {"match": [path], "list": word},
                    where,
                    f"@{base}_maps",
                    "the filter's user must be able to read it",
                )
            tables = self._tables.tables(base)
            entries = {entry for table in tables for entry in table.entries} - self._tables.files.covered(
                kept
            )
            true = [
                entry
                for entry in sorted(entries)
                if lookups.is_true(lookups.looked_up(tables, lookups.keys_of(entry)))
            ]
            for entry in sorted(entries - set(true)):
                self._result.leave(where, f"@{base}_maps", f"the exception {entry}")
            if true:
                self._result.table("sender", {"match": true, "list": word}, where, f"@{base}_maps")

    def _scores(self) -> None:
        """@score_sender_maps: for each recipient's entry, tables of senders whose scores are added up."""
        given = self._tables.assigned.get("@score_sender_maps")
        if given is None:
            return
        name = "@score_sender_maps"
        for one in given.value if isinstance(given.value, list) else [given.value]:
            value, _, where = self._tables.resolved(one, name, given.where)
            if not isinstance(value, dict):
                self._result.leave(where, name, value.why if isinstance(value, Unknown) else "it is no hash")
                continue
            for recipient, tables in value.items():
                if recipient != "." and not lookups.is_entry(recipient):
                    self._result.leave(where, name, f"the recipient {recipient[:60]}")
                    continue
                self._scored(recipient, tables if isinstance(tables, list) else [tables], name, where)

    def _scored(self, recipient: str, values: list[Value], name: str, where: Where) -> None:
        made = [self._tables.table(self._tables.resolved(one, name, where)[0], name, where) for one in values]
        tables = [table for table in made if table is not None]

        def options_of(keys: list[str]) -> Options:
            said = [value for table in tables if isinstance(value := table.get(keys), (int, float))]
            return {"score": round(sum(said), 3) if said else None}

        entries = {entry for table in tables for entry in table.entries}
        for match, options in lookups.rules(entries, options_of, self._tables.doubt(where, name)):
            score = options["score"]
            if score is None or not -1000 <= score <= 1000:
                self._result.leave(where, name, f"{match[0]}: a score wants a number from -1000 to 1000")
                continue
            narrower = {} if recipient == "." else {"recipient": [recipient]}
            self._result.table("sender", {"match": match, **narrower, "score": score}, where, name)
