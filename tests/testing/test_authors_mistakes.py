"""What an author of tests gets wrong is named, without a traceback of the suite."""


def test_wrong_values_of_the_connection_are_named(run_contract):
    result = run_contract(test=[('"key": secret', '"kee": secret')])
    assert "connection_values does not give a connection: " in result.out
    assert "key is missing; kee is not known here" in result.out
    assert "Traceback" not in result.out
    assert "accounts.py" not in result.out


def test_connection_that_is_not_described_is_named(run_contract):
    result = run_contract(test=[("def connection_values", "def connection_valuez")])
    assert "say what a connection of greetings is made of: override connection_values(self, url, secret)" in result.out
    assert "contract.py" not in result.out


def test_plugin_that_is_not_installed_is_named(run_contract):
    result = run_contract(test=[('plugin = "greetings"', 'plugin = "greeting"')])
    assert result.code == 2
    assert (
        "there is no plugin 'greeting', only chatforge, contacts, email, greetings, http, hubspot, slack, tryton; "
        in result.out
    )
    assert "Traceback" not in result.out
    assert "contract.py" not in result.out


def test_broken_plugin_is_named_when_tests_are_collected(run_contract):
    result = run_contract(('title="Send card"', 'titel="Send card"'))
    assert result.code == 2
    assert "plugin 'greetings' cannot be loaded: importing 'greetings' failed: TypeError: action()" in result.out
    assert "contract.py" not in result.out
