"""The things a run asks for: made over the API by a superuser that is not fuzzed, given out by noun, made anew when gone."""

import itertools
import random
import secrets
import time
from datetime import datetime, timedelta, timezone

import requests

PASSWORD = "twelve characters and more"
PROTOCOL = {"vpnmgr-protocol": "1.0"}
SETTINGS = [
    {"protocol": "vless", "server_name": "www.example.com"},
    {"protocol": "shadowsocks"},
    {"protocol": "hysteria2", "server_name": "node.example.com"},
]
OWNED = {"subscriptions", "users", "sessions"}


class World:
    """Two operators, the actor of the run, and a pool of things per noun and owner."""

    def __init__(self, url, root, role, seed):
        self.url = url
        self.root = root
        self.role = role
        self.random = random.Random(seed)
        self.session = requests.Session()
        self.numbers = itertools.count(1)
        self.run = secrets.token_hex(3)
        self.pools = {}
        self.node = self.made("nodes", {"description": "the run's"})["id"]
        self.key = self.made(f"nodes/{self.node}/tokens")["key"]
        self.inbounds = [self.made("inbounds", self.inbound_draft(settings))["id"] for settings in SETTINGS]
        self.other = self.person("operator")
        self.operator = self.person("operator")
        self.actor = self.person("superuser") if role == "superuser" else self.operator
        self.token = None
        self.sign_in()
        for whose in ("own", "others", "unowned"):
            self.thing("subscriptions", whose)
        self.report_use()

    def name(self, what):
        return f"{what}-{self.run}-{next(self.numbers)}"

    def ask(self, method, path, body=None, token=None, headers=None):
        """Asks, as the superuser that is not fuzzed unless told; waits where passwords were guessed before."""
        headers = {"authorization": f"Bearer {token or self.root}", **(headers or {})}
        while True:
            response = self.session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30)
            if response.status_code != 429:
                return response
            time.sleep(int(response.headers["retry-after"]))

    def made(self, path, body=None):
        response = self.ask("POST", f"/api/v1/{path}", body)
        if response.status_code not in (200, 201):
            raise RuntimeError(f"POST {path}: {response.status_code} {response.text}")
        return response.json()

    def person(self, role):
        username = self.name(role)
        return {**self.made("users", {"username": username, "password": PASSWORD, "role": role}), "password": PASSWORD}

    def sign_in(self):
        """Signs the actor in; one that cannot any more is replaced by another of its role."""
        if self.role == "node":
            if self.token is not None:
                self.key = self.made(f"nodes/{self.node}/tokens")["key"]
            self.token = self.key
            return
        account = {"username": self.actor["username"], "password": self.actor["password"]}
        response = self.session.post(f"{self.url}/api/v1/session", json=account, timeout=30)
        if response.status_code != 201:
            self.actor = self.person(self.role)
            self.pools = {}
            return self.sign_in()
        self.token = response.json()["token"]
        return None

    def is_signed_in(self):
        path = "/node/v1/state" if self.role == "node" else "/api/v1/session"
        return self.ask("GET", path, token=self.token, headers=PROTOCOL).status_code != 401

    def report(self, seq, entries):
        """Sends a batch as the node."""
        now = datetime.now(timezone.utc)
        batch = {
            "spool": "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4f",
            "seq": seq,
            "from": (now - timedelta(seconds=2)).isoformat(),
            "to": now.isoformat(),
            "entries": entries,
        }
        body = {"batch": batch, "sent_at": now.isoformat(), "lowest": 1, "agent_version": "1", "plane_version": None}
        return self.ask("POST", "/node/v1/reports", body, self.key, PROTOCOL)

    def report_use(self):
        """Reports some bytes of every credential that may use the node, so that there are records to list."""
        state = self.ask("GET", "/node/v1/state", token=self.key, headers=PROTOCOL).json()
        entries = [
            {"credential": credential["ref"], "inbound": inbound, "bytes_up": 1000, "bytes_down": 2000}
            for credential in state["credentials"]
            for inbound in credential["open"]
        ]
        answered = self.report(next(self.numbers), entries)
        if not entries or answered.status_code != 200:
            raise RuntimeError(f"use was not reported: {answered.status_code} {answered.text}")

    def newest(self, items):
        return self.ask("GET", f"/api/v1/{items}?limit=1").json()["items"][0]["id"]

    def inbound_draft(self, settings):
        port = 10_000 + next(self.numbers)
        return {
            "node_id": self.node,
            "host": "vpn.example.com",
            "port": port,
            "settings": settings,
        }

    def owner(self, whose):
        return {"own": self.actor["id"], "others": self.other["id"], "unowned": None}[whose]

    def make(self, noun, whose):
        """Makes one, over the API as a superuser."""
        if noun == "subscriptions":
            draft = {"title": self.name("title"), "owner_id": self.owner(whose), "inbound_ids": self.inbounds}
            draft["expires_at"] = None if next(self.numbers) % 3 == 0 else "2040-01-31T00:00:00Z"
            return self.made("subscriptions", draft)["id"]
        if noun == "users":
            if whose == "own" and self.role == "operator":
                return self.actor["id"]
            return self.person("operator")["id"]
        if noun == "sessions":
            account = {"own": self.actor, "others": self.other, "unowned": self.person("superuser")}[whose]
            self.made("session", {"username": account["username"], "password": account["password"]})
            listed = self.ask("GET", f"/api/v1/sessions?user_id={account['id']}&limit=200").json()
            return listed["items"][-1]["id"]
        if noun == "groups":
            return self.made("groups", {"name": self.name("group")})["id"]
        if noun == "nodes":
            return self.made("nodes", {})["id"]
        if noun == "node-tokens":
            return self.made(f"nodes/{self.node}/tokens")["id"]
        if noun == "inbounds":
            return self.made("inbounds", self.inbound_draft(self.random.choice(SETTINGS)))["id"]
        entry = {"credential": 2**31 - 1, "inbound": 1, "bytes_up": 1, "bytes_down": 1}
        if noun == "quarantine":
            self.report(next(self.numbers), [entry])
            return self.newest("quarantine")
        if noun == "report-conflicts":
            seq = next(self.numbers)
            for down in (1, 2):
                self.report(seq, [{**entry, "bytes_down": down}])
            return self.newest("report-conflicts")
        return None

    def thing(self, noun, whose="own"):
        """One that exists, as far as anybody has said."""
        pool = self.pools.setdefault((noun, whose), [])
        if len(pool) < 3:
            made = self.make(noun, whose)
            if made is None:
                return None
            pool.append(made)
        return self.random.choice(pool)

    def gone(self, ident):
        """Forgets one that was deleted, revoked, or is not found."""
        for pool in self.pools.values():
            while ident in pool:
                pool.remove(ident)
