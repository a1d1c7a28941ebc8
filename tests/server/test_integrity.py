from runs.test_integrity import damage, fill


def test_server_with_a_damaged_database_says_so_and_stops(make_server):
    server = make_server()
    fill(server.database)
    damage(server.database)
    server.launch("--port", "0")  # the damage may be found before it listens
    server.process.communicate(timeout=20)
    assert server.process.returncode == 1
    said = f"the database {server.database} is damaged: "
    assert said in server.log()
    assert "; restore it from a backup" in server.log()
    assert "Traceback" not in server.log()
