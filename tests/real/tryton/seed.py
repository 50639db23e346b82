"""Makes a Tryton database: its modules, two users and COUNT parties.

usage: seed.py CONFIG DATABASE_FILE COUNT

The user `syncline` may read and write parties; the user `clerk` may only read them.
"""

import os
import subprocess
import sys
from pathlib import Path

config_file, database, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

# The database and its modules, with the command that operators use.
passwords = database.with_suffix(".password")
passwords.write_text("admin-password\n")
database.touch()
admin = [sys.executable, str(Path(sys.executable).parent / "trytond-admin"), "-c", config_file, "-d", database.stem]
environment = {**os.environ, "TRYTONPASSFILE": str(passwords)}
subprocess.run([*admin, "--all", "--email", "admin@example.com"], env=environment, check=True)
subprocess.run([*admin, "-u", "party", "--activate-dependencies"], env=environment, check=True)
passwords.unlink()

from trytond import config  # noqa: E402

config.update_etc(config_file)

from trytond.pool import Pool  # noqa: E402
from trytond.transaction import Transaction  # noqa: E402

Pool.start()
pool = Pool(database.stem)
with Transaction().start(database.stem, 0, readonly=True):
    pool.init()
with Transaction().start(database.stem, 1, context={"active_test": False}):
    user, group, party = pool.get("res.user"), pool.get("res.group"), pool.get("party.party")
    access = pool.get("ir.model.access")
    party_admin = group.search([("name", "=", "Party Administration")])
    user.create(
        [
            {"name": "Integration", "login": "syncline", "password": "erp-secret", "groups": [("add", [g.id for g in party_admin])]},
            {"name": "Clerk", "login": "clerk", "password": "erp-reader"},
        ]
    )
    everything = {"perm_read": True, "perm_write": True, "perm_create": True, "perm_delete": True}
    access.create(
        [
            {**everything, "model": "party.party", "perm_write": False, "perm_create": False, "perm_delete": False},
            {**everything, "model": "party.party", "group": party_admin[0].id},
        ]
    )
    party.create(
        [
            {
                "name": f"Demo Customer {number:05d}",
                "code": f"C{number:05d}",
                "addresses": [("create", [{"street": f"{number} Main Street", "city": "Springfield"}])],
            }
            for number in range(count)
        ]
    )
print(f"{database.stem}: {count} parties")
