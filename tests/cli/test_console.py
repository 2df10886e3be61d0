import sys

from pellucid.cli.console import Bar, Lines, Quiet, report, say


def test_say_is_one_line_on_stderr(capsys):
    say("first\nsecond \x1b]0;title\x07")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "first\\nsecond \\x1b]0;title\\x07\n"


def test_plain_lines_elsewhere(capsys):
    with report(2, quiet=False) as tell:
        assert type(tell) is Lines
        tell.start("a.jpg")
        tell.done("a.jpg -> b.jpg")
        tell.failed("c.jpg: empty")
    assert capsys.readouterr().err == "a.jpg -> b.jpg\nerror: c.jpg: empty\n"


def test_quiet_tells_failures_only(capsys):
    with report(2, quiet=True) as tell:
        assert type(tell) is Quiet
        tell.start("a.jpg")
        tell.done("a.jpg -> b.jpg")
        tell.failed("c.jpg: empty")
    assert capsys.readouterr().err == "error: c.jpg: empty\n"


def test_a_bar_with_a_total_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with report(3, quiet=False) as tell:
        assert isinstance(tell, Bar)
        tell.start("[bold]a\x1b.jpg")
        tell.done("[bold]a\x1b.jpg -> out")
        tell.failed("[/]b.jpg: empty")
    shown = capsys.readouterr().err
    assert "[bold]a\\x1b.jpg -> out" in shown
    assert "error: [/]b.jpg: empty" in shown
    assert "2/3" in shown
