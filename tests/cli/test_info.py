import json


def test_info_names_model_files_and_licences(cli, tiny_weights):
    result = cli("info")
    assert result.code == 0
    shown = result.out.decode()
    assert str(tiny_weights) in shown
    assert "CC0-1.0" in shown
    assert "Apache-2.0" in shown


def test_info_for_programs(cli, tiny_weights):
    facts = json.loads(cli("info", "--json").out)
    assert facts["weights_id"] == "tiny"
    assert facts["weights"] == str(tiny_weights)
    assert len(facts["sha256"]) == 64
