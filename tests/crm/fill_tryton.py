"""Run by the Python of Tryton's environment: fills a new database, and prints the keys that were made as JSON.

fill_tryton.py CONFIGURATION DATABASE
"""

import json
import sys

from proteus import Model, config


def main(configuration: str, database: str) -> None:
    config.set_trytond(database, config_file=configuration)
    company = make_company("Smith Law", "USD")
    employee = make_employee(company, "Cal")
    Model.get("country.country")(name="United States", code="US").save()
    connector = make_user("connector", company, employee, ["Sale Opportunity"])
    clerk = make_user("clerk", company, None, [])
    print(json.dumps({"key": make_key(connector), "clerk_key": make_key(clerk), "employee": employee.id}))


def make_company(name: str, currency_code: str) -> Model:
    Currency, Party, Company = (Model.get(n) for n in ("currency.currency", "party.party", "company.company"))  # noqa: N806
    currency = Currency(name=currency_code, code=currency_code, symbol="$")
    currency.save()
    party = Party(name=name)
    party.save()
    company = Company(party=party, currency=currency)
    company.save()
    return company


def make_employee(company: Model, name: str) -> Model:
    party = Model.get("party.party")(name=name)
    party.save()
    employee = Model.get("company.employee")(company=company, party=party)
    employee.save()
    return employee


def make_user(login: str, company: Model, employee: Model | None, groups: list[str]) -> Model:
    user = Model.get("res.user")(name=login, login=login)
    user.company = company  # `companies` is filled with the only one
    if employee is not None:
        user.employees.append(type(employee)(employee.id))
        user.employee = employee
    for group in Model.get("res.group").find([("name", "in", groups)]):
        user.groups.append(group)
    user.save()
    return user


def make_key(user: Model) -> str:
    application = Model.get("res.user.application")(user=user, application="rest")
    application.save()
    return application.key


main(*sys.argv[1:])
