"""The contract that hosts rely on, and nothing else: ten lines."""

import card_service
import pytest

from connector.testing import PluginContract, Service


class TestGreetings(PluginContract):
    plugin = "greetings"
    names = ("send_card", "list_cards", "new_card", "card_opened")

    @pytest.fixture
    def service(self):
        with card_service.running(self.secret, cards=7) as cards:
            yield Service(cards.url, records={"list_cards": 7, "new_card": 7})

    def connection_values(self, url, secret):
        return {"address": url, "key": secret, "webhook_secret": secret}

    def inputs(self, service):
        return {"new_card": {"start": "all"}}
