"""The things a run asks for: made over the API by a superuser that is not fuzzed, given out by noun, made anew when gone."""

import itertools
import random
import secrets

import requests

PASSWORD = "twelve characters and more"
PROTOCOL = {"vpnmgr-protocol": "1.0"}
OWNED = {"subscriptions", "users"}


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
        self.inbound = self.made("inbounds", self.inbound_draft())["id"]
        self.other = self.person("operator")
        self.operator = self.person("operator")
        self.actor = self.person("superuser") if role == "superuser" else self.operator
        self.token = None
        self.sign_in()

    def name(self, what):
        return f"{what}-{self.run}-{next(self.numbers)}"

    def ask(self, method, path, body=None, token=None, headers=None):
        headers = {"authorization": f"Bearer {token or self.root}", **(headers or {})}
        return self.session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30)

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

    def inbound_draft(self):
        port = 10_000 + next(self.numbers)
        return {
            "node_id": self.node,
            "host": "vpn.example.com",
            "port": port,
            "settings": {"protocol": "shadowsocks"},
        }

    def owner(self, whose):
        return {"own": self.actor["id"], "others": self.other["id"], "unowned": None}[whose]

    def make(self, noun, whose):
        """Makes one, over the API as a superuser."""
        if noun == "subscriptions":
            draft = {"title": self.name("title"), "owner_id": self.owner(whose), "inbound_ids": [self.inbound]}
            return self.made("subscriptions", draft)["id"]
        if noun == "users":
            if whose == "own" and self.role == "operator":
                return self.actor["id"]
            return self.person("operator")["id"]
        if noun == "groups":
            return self.made("groups", {"name": self.name("group")})["id"]
        if noun == "nodes":
            return self.made("nodes", {})["id"]
        if noun == "node-tokens":
            return self.made(f"nodes/{self.node}/tokens")["id"]
        if noun == "inbounds":
            return self.made("inbounds", self.inbound_draft())["id"]
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
