import json


def test_a_result_file_and_a_table(cli, tiny_weights, tmp_path):
    output = tmp_path / "speed.json"
    result = cli(
        "benchmark", "-o", output, "--sizes", ".01", "--repetitions", 1, "--weights", tiny_weights
    )
    assert result.code == 0, result.err
    document = json.loads(output.read_text())
    assert document["weights_id"] == "tiny"
    (row,) = document["rows"]
    assert row["cold"] is None
    assert row["warm"]["peak_mb"] > 30
    assert "0.01 Mpx" in result.out.decode()


def test_sizes_are_numbers(cli):
    for sizes in ("big", "0", "1,999"):
        result = cli("benchmark", "--sizes", sizes)
        assert result.code == 2
        assert "--sizes" in result.err
