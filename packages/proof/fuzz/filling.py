"""Makes the cases that a document gives rise to about things that are there: ids, names, and what no schema can say."""

from world import OWNED, PASSWORD

# Fields of bodies and queries that name things, and the noun of those.
NAMES = {
    "owner_id": "users",
    "user_id": "users",
    "user_ids": "users",
    "actor_id": "users",
    "group_id": "groups",
    "group_ids": "groups",
    "node_id": "nodes",
    "node": "nodes",
    "inbound_id": "inbounds",
    "inbound_ids": "inbounds",
    "inbound": "inbounds",
    "subscription_id": "subscriptions",
    "subscription_ids": "subscriptions",
}

# Headers that make most requests fail when they are made up; sent now and then.
RARE_HEADERS = {"if-match", "vpnmgr-act-for", "idempotency-key"}


class Filling:
    """Fills cases from a world, by the dice of a run."""

    def __init__(self, world, dice):
        self.world = world
        self.random = dice

    def put(self, value, name, noun_of_path):
        """Puts ids of real things where a body names things; now and then somebody else's."""
        if isinstance(value, dict):
            return {key: self.put(child, key, noun_of_path) for key, child in value.items()}
        noun = NAMES.get(name)
        if name in ("link", "unlink"):
            noun = "subscriptions" if noun_of_path == "inbounds" else "inbounds"
        if noun is None or self.random.random() < 0.15:
            return value
        if isinstance(value, list):
            count = self.random.choice((0, 1, 1, 2))
            return list(dict.fromkeys(filter(None, (self.one(noun) for _ in range(count)))))
        return None if value is None else self.one(noun) or value

    def one(self, noun):
        whose = "own"
        if noun == "inbounds":
            return self.random.choice(self.world.inbounds)
        if noun == "nodes" and self.random.random() < 0.7:
            return self.world.node
        if noun in OWNED and self.random.random() < 0.1:
            whose = self.random.choice(("others", "unowned"))
        return self.world.thing(noun, whose)

    def fill(self, case, name, is_valid):
        """Gives a case a real id and real names; answers whose thing it is about."""
        whose, noun = None, case.operation.path.split("/")[3] if case.operation.path.count("/") > 2 else ""
        if is_valid and isinstance(case.path_parameters, dict) and "id" in case.path_parameters:
            chance = self.random.random()
            whose = "own" if chance < 0.75 or noun not in OWNED else self.random.choice(("others", "unowned"))
            if chance < 0.92:
                found = self.world.thing(noun, whose)
                if found is not None:
                    case.path_parameters["id"] = found
            else:
                whose = None
            for key in case.path_parameters:
                if key in NAMES:
                    case.path_parameters[key] = self.put(case.path_parameters[key], key, noun)
        if is_valid and isinstance(case.body, dict):
            case.body = self.put(case.body, "", noun)
        if is_valid and isinstance(case.query, dict):
            for key in list(case.query):
                if key == "cursor" and self.random.random() < 0.9:
                    del case.query[key]
                elif key in NAMES:
                    case.query[key] = self.put(case.query[key], key, noun)
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = 0 if is_valid else case.query["wait"]
        if case.headers:
            for header in list(case.headers):
                if header.lower() in RARE_HEADERS and self.random.random() < 0.8:
                    del case.headers[header]
        self.shape(case, name, is_valid)
        return whose

    def shape(self, case, name, is_valid):
        """What an operation needs beyond its schema: credentials that are right, and a port nobody has."""
        if not is_valid or not isinstance(case.body, dict):
            return
        if name == "session.changePassword":
            case.body = {"current_password": PASSWORD, "new_password": PASSWORD}
        if self.random.random() < 0.3:
            return
        if name == "session.signIn":
            case.body = {"username": self.world.other["username"], "password": PASSWORD}
        if name == "subscriptions.extend":
            case.body["period"] = "P1M"
        if name == "inbounds.create":
            case.body["port"] = 20_000 + next(self.world.numbers)
            case.body["host"] = f"{self.world.name('host')}.example.com"
            case.body.pop("listen", None)
