"""``cftui eval``: a run's errors and ranking, a recipe over folds, and every wrong combination in one line."""

from __future__ import annotations

import math
import os
import signal
import statistics

import pytest
import torch

from cftui.analysis.evaluation import accuracy
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine import rankings as evaluation
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import recipe
from cftui.home import Home

from ..settings import gradient_options
from .conftest import only_line, program

METRICS = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate", "rbp")
HEADING = ["precision", "recall", "NDCG", "MAP", "MRR", "hit", "rate", "RBP"]
SCORES = ("mse", "rmse", "mae", "seconds")
SMALL = ("--data", "tiny", "--bs", 16, "--factors", 8, "--epochs", 2, "--device", "cpu")


def without(words: tuple[object, ...], flag: str) -> tuple[object, ...]:
    """The command line without one option and its value."""
    at = words.index(flag)
    return words[:at] + words[at + 2 :]


@pytest.fixture
def home(own_home: Home) -> Home:
    return own_home


def rows_of(text: str) -> dict[str, list[str]]:
    """Rows of a table by their first cell."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_a_run_is_scored_by_error_and_by_ranking(home: Home, tiny: Ratings, cli) -> None:
    found = cli(home, "eval", "model4.run", "--json").json
    assert list(found) == ["run", "recipe", "data", "split", "train", "valid", "ranking", "lists", "verdict"]
    model = TrainedModel.load(home_run(home, "model4.run"))
    for part, score in accuracy.evaluate(model, tiny).items():
        wanted = {"ratings": score.n, "mse": score.mse, "rmse": score.rmse, "mae": score.mae}
        assert found[part] == pytest.approx(wanted)
    parts = model.split(tiny)
    ranked = beside_baselines(tiny, parts, {"model": evaluation.predicted(model.module)})
    about = ("k", "relevant", "users", "protocol")
    assert list(found["ranking"]) == [*about, "model", "popularity", "item_knn", "chance"]
    assert {name: found["ranking"][name] for name in about} == {name: getattr(ranked, name) for name in about}
    for name, one in ranked.rankings.items():
        assert tuple(found["ranking"][name]) == METRICS
        assert found["ranking"][name] == pytest.approx(one.as_json())
    assert found["ranking"]["model"] != found["ranking"]["popularity"]


def home_run(home: Home, name: str):
    from cftui.engine.runs.folder import find

    return find(home, name)


def test_the_text_says_what_the_json_says(home: Home, cli) -> None:
    arguments = ("eval", "model4.run", "-k", 4, "--relevant", 3.5)
    text, found = cli(home, *arguments).out, cli(home, *arguments, "--json").json
    rows = rows_of(text)
    for part in ("train", "valid"):
        assert rows[part] == [f"{found[part]['ratings']:,}", *(f"{found[part][name]:.6f}" for name in SCORES[:3])]
    tables = text.split("\n\n")
    ranked = next(table for table in tables if "NDCG     MAP" in table)
    assert ranked.splitlines()[0].split() == ["lists", "of", "4", *HEADING]
    for name in ("model", "popularity"):
        assert rows_of(ranked)[name] == [f"{found['ranking'][name][metric]:.4f}" for metric in METRICS]
    assert f"{found['ranking']['users']} users; {found['ranking']['protocol']}" in text.splitlines()
    assert "ratings of 3.5 or more" in text


def test_a_run_can_be_named_three_ways(home: Home, cli) -> None:
    named = cli(home, "eval", "model1.run", "--json").json
    assert named["run"] == "model1.run"
    assert cli(home, "eval", "--run", "model1", "--json").json == named
    latest = cli(home, "eval", "--json").json
    assert latest["run"] == cli(home, "runs", "--json").json[-1]["name"]
    assert cli(home, "eval", "--run", "latest", "--json").json == latest
    # The name of a recipe is a prefix of its runs'.
    assert cli(home, "eval", "model1", "--json").json == named


def test_k_relevant_and_users_reach_the_ranking(home: Home, cli) -> None:
    def ranked(*more: object) -> dict:
        return cli(home, "eval", "model4.run", *more, "--json").json["ranking"]

    plain = ranked()
    assert (plain["k"], plain["relevant"]) == (10, 4)
    short, strict, few = ranked("-k", 1), ranked("--relevant", 5), ranked("--users", 5)
    assert short["k"] == 1
    assert short["model"]["recall"] < plain["model"]["recall"]
    assert strict["relevant"] == 5
    assert strict["users"] < plain["users"]
    assert 0 < few["users"] <= 5 < plain["users"]


def test_the_help_states_the_protocol(home: Home, cli, capsys) -> None:
    text = " ".join(cli(home, "eval", "--help").out.split())
    for part in (
        "cftui eval model4 --folds 5",
        "ranks all items that have a training rating and that the user has not rated in training",
        "counts as missed",
        "ties are ordered by item code",
        "means over the users who have relevant items",
        "--factors",
    ):
        assert part in text


WRONG = {
    "a run twice": (("model4.run", "--run", "model1.run"), 2, "the run is given twice, as RUN and with --run"),
    "folds of nothing": (("--folds", "5"), 2, "--folds needs a recipe, such as: cftui eval model4 --folds 5"),
    "folds of a run": (
        ("model4", "--folds", "5", "--run", "latest"),
        2,
        "--run scores a run, and --folds trains a recipe",
    ),
    "folds of no recipe": (("model9", "--folds", "5"), 1, "no recipe 'model9'; did you mean model"),
    "one fold": (("model4", "--folds", "1"), 2, "'1': must be a whole number from 2, or official"),
    "some folds": (("model4", "--folds", "some"), 2, "'some': must be a whole number from 2, or official"),
    "more folds than ratings": (("model4", "--folds", "9999", *SMALL), 1, "9999 folds: must be a number from 2 to"),
    "folds that nobody liked": (
        ("model4", "--folds", "3", "--relevant", "9", *SMALL),
        1,
        "no validation rating of 9 or",
    ),
    "a run with training": (
        ("model4.run", "--lr", "0.1"),
        2,
        "--lr has no effect on a run; to train a recipe on folds",
    ),
    "the latest with training": (("--fast",), 2, "--fast has no effect on a run"),
    "a default given": (("model4.run", "--epochs", "5"), 2, "--epochs has no effect on a run"),
    "fast and a batch": (("model4", "--folds", "3", "--fast", "--bs", "32"), 2, "--fast chooses --bs"),
    "a split of folds": (("model4", "--folds", "3", "--split", "time"), 2, "No such option '--split'"),
    "a batch too large": (
        ("model4", "--folds", "3", "--data", "tiny", "--bs", "4096"),
        1,
        "batch size 4096: more than",
    ),
    "a recipe without folds": (
        ("collab", "--json"),
        1,
        "to cross-validate the recipe: cftui eval collab --folds 5",
    ),
    "no such run": (("nothing",), 1, "no run 'nothing'"),
    "a run without a name": (("",), 1, "no run ''"),
    "nothing liked so much": (("model4.run", "--relevant", "6"), 1, "no validation rating of 6 or more"),
    "not a number": (("model4.run", "--relevant", "nan"), 1, "no validation rating of nan or more"),
    "no place": (("model4.run", "-k", "0"), 2, "must be a whole number from 1 to 10,000"),
    "exploding": (("model1", "--folds", "3", *SMALL, "--lr", "900", "--json"), 1, "fold1of3: loss became"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case: str, home: Home, fails, tree) -> None:
    if case == "a recipe without folds":
        import shutil

        shutil.rmtree(home.models / "collab-nn.run")
    arguments, status, reason = WRONG[case]
    before = tree(home.root)
    assert reason in fails(home, "eval", *arguments, status=status)
    assert tree(home.root) == before


def test_folds_leave_no_run_and_train_as_asked(home: Home, tiny: Ratings, cli, tree) -> None:
    before = tree(home.root)
    settings = ("--data", "tiny", "--bs", 32, "--factors", 4, "--epochs", 3, "--lr", 0.02, "--wd", 0.3, "--seed", 7)
    done = cli(home, "eval", "model5", "--folds", 3, *settings, "--device", "cpu", "--json")
    assert (done.status, done.err) == (0, "")
    *rows, end = done.lines
    assert tree(home.root) == before
    options = gradient_options(recipe("model5"), bs=32, factors=4, epochs=3, lr=0.02, wd=0.3, seed=7)
    for which, row in enumerate(rows, 1):
        assert list(row) == ["event", "fold", "ratings", *SCORES]
        assert (row["event"], row["fold"]) == ("fold", f"fold{which}of3")
        parts = split(tiny, f"fold{which}of3", 7)
        trainer = Trainer(recipe("model5"), options, tiny, parts, torch.device("cpu"))
        trainer.fit()
        score = trainer.validate()
        assert (row["mse"], row["mae"], row["ratings"]) == (score.mse, score.mae, len(parts.valid))
        assert row["rmse"] == pytest.approx(math.sqrt(row["mse"]))
    assert list(end) == ["event", "recipe", "data", "kind", "folds", "finished", "mean", "sd"]
    assert list(end.values())[:6] == ["done", "model5", "tiny", "random", 3, 3]
    for name in SCORES:
        values = [row[name] for row in rows]
        assert end["mean"][name] == pytest.approx(sum(values) / 3)
        assert end["sd"][name] == pytest.approx(statistics.stdev(values))


def test_every_option_of_training_reaches_the_folds(home: Home, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from cftui.engine import crossval

    asked: list[Options] = []

    def note(recipe, options: Options, ratings: Ratings, *_: object):
        asked.append(options)
        assert ratings.item_key == "id"
        return iter(())

    monkeypatch.setattr(crossval, "cross_validate", note)
    more = (
        "--item-key",
        "id",
        "--patience",
        2,
        "--keep-best",
        "--fast",
        "--epochs",
        9,
        "--wd-bias",
        0.02,
        "--data",
        "tiny",
    )
    cli(home, "eval", "model4", "--folds", 2, *more)
    assert asked == [
        recipe("model4").options(epochs=9, bs=256, item_key="id", patience=2, keep_best=True, wd_bias=0.02)
    ]


def test_the_table_of_folds_says_what_the_json_says(home: Home, cli) -> None:
    arguments = ("eval", "model4", "--folds", 3, *SMALL)
    text, (*rows, end) = cli(home, *arguments), cli(home, *arguments, "--json").lines
    assert "model4 on tiny: 3 random folds, 2 epochs of batches of 16 on cpu, seed 0" in text.err
    table = rows_of(text.out)
    assert list(table) == ["fold", "fold1of3", "fold2of3", "fold3of3", "mean", "sd"]
    assert table["fold"] == ["ratings", *SCORES]
    for row in rows:
        assert table[row["fold"]][:-1] == [str(row["ratings"]), *(f"{row[name]:.6f}" for name in SCORES[:3])]
    for name in ("mean", "sd"):
        assert table[name][:-1] == [f"{end[name][score]:.6f}" for score in SCORES[:3]]
    assert len({len(line) for line in text.out.splitlines()}) == 1


def test_official_folds_are_the_published_ones(fresh_home: Home, ratings: Ratings, cli, fails) -> None:
    settings = ("--bs", 4096, "--epochs", 1, "--device", "cpu")
    *rows, end = cli(fresh_home, "eval", "model4", "--folds", "official", *settings, "--json").lines
    assert [row["fold"] for row in rows] == ["u1", "u2", "u3", "u4", "u5"]
    assert (end["kind"], end["folds"], end["finished"]) == ("official", 5, 5)
    trained = cli(fresh_home, "train", "model4", "--split", "u3", *settings, "--json").lines[-1]
    assert rows[2]["mse"] == pytest.approx(trained["valid_loss"], rel=1e-9)


def test_a_fold_can_be_trained_by_its_name(home: Home, cli) -> None:
    rows = cli(home, "eval", "model4", "--folds", 3, *SMALL, "--json").lines
    trained = cli(home, "train", "model4", "--split", "fold2of3", *SMALL, "--json", "--name", "second").lines[-1]
    assert trained["valid_loss"] == rows[1]["mse"]
    scores = cli(home, "eval", "--run", "second", "--json").json
    assert scores["split"] == "fold2of3"
    assert scores["valid"]["mse"] == pytest.approx(rows[1]["mse"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model4", "collab-nn", "embedding-nn", "bayes"])
def test_the_lists_of_a_fold_are_those_of_a_run_on_it(name: str, home: Home, cli) -> None:
    settings: tuple[object, ...] = ("--data", "tiny", "--sweeps", 5) if name == "bayes" else SMALL
    if name in ("collab-nn", "embedding-nn"):
        settings = without(SMALL, "--factors")
    asked = ("-k", 3, "--relevant", 3.5)
    arguments = ("eval", name, "--folds", 3, *settings, *asked)
    *rows, end = cli(home, *arguments, "--json").lines
    lists = []
    for row in rows:
        cli(home, "train", name, "--split", row["fold"], *settings, "--name", f"{name}-{row['fold']}")
        lists.append(cli(home, "eval", f"{name}-{row['fold']}", *asked, "--json").json["ranking"])
        for scorer in ("model", "popularity"):
            assert row["ranking"][scorer] == pytest.approx(lists[-1][scorer])
    assert end["ranking"]["protocol"] == lists[0]["protocol"]
    text = cli(home, *arguments).out
    table = rows_of(text)
    assert table["lists"] == ["of", "3", *HEADING]
    for scorer in ("model", "popularity"):
        means = [statistics.fmean(one[scorer][metric] for one in lists) for metric in METRICS]
        assert list(end["ranking"][scorer].values()) == pytest.approx(means)
        assert table[scorer] == [f"{mean:.4f}" for mean in means]
    assert text.splitlines()[-1] == f"mean of the folds; {lists[0]['protocol']}"


def test_folds_without_anything_liked_have_no_lists(home: Home, cli, tmp_path) -> None:
    source = tmp_path / "low.csv"
    # A single 5, which validates in one fold: the other two have nothing to find.
    pairs = [(u, i) for u in range(9) for i in range(9)]
    source.write_text("user,item,rating\n" + "".join(f"{u},{i},{5 if u == i == 4 else 1 + i % 2}\n" for u, i in pairs))
    assert program(home, "data", "import", source, "--name", "low").returncode == 0
    arguments = ("eval", "model4", "--folds", 3, "--data", "low", "--epochs", 1, "--bs", 8, "-k", 2)
    *rows, end = cli(home, *arguments, "--json").lines
    (one,) = [row for row in rows if "ranking" in row]
    assert end["ranking"]["model"] == one["ranking"]["model"]


def test_a_data_set_without_official_folds_says_so(home: Home, fails, tmp_path) -> None:
    source = tmp_path / "own.csv"
    source.write_text(
        "user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(9) for i in range(9))
    )
    assert program(home, "data", "import", source, "--name", "own").returncode == 0
    line = fails(home, "eval", "model4", "--folds", "official", "--data", "own")
    assert line == "cftui: own has no official folds; give a number of random ones"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_what_it_found(number: signal.Signals, fresh_home: Home, background) -> None:
    # A fold of about half a second, to be caught in the third.
    settings = ("--bs", 512, "--epochs", 6, "--device", "cpu")
    running = background(fresh_home, "eval", "model4", "--folds", 50, *settings)
    running.until(lambda: "fold2of50" in running.log.read_text())
    os.kill(running.process.pid, number)
    assert running.process.wait(60) == 130
    _, header, *rows, last = running.log.read_text().splitlines()
    assert header.split()[0] == "fold"
    assert [row.split()[0] for row in rows] == [f"fold{which}of50" for which in range(1, len(rows) + 1)]
    only_line(f"{last}\n")
    errors = [float(row.split()[2]) for row in rows]
    mean, sd = statistics.mean(errors), statistics.stdev(errors)
    assert last.startswith(f"cftui: stopped after {len(rows)} of 50 folds: mean MSE {mean:.4f} (sd {sd:.4f}), RMSE 0.")
    assert not fresh_home.models.exists()


def test_stopped_before_the_first_fold_ends_there_is_nothing_to_say(home: Home, cli, monkeypatch) -> None:
    from cftui.engine import crossval

    monkeypatch.setattr(crossval, "cross_validate", lambda *_: iter(()))
    text, as_json = (
        cli(home, "eval", "model4", "--folds", 2, *SMALL),
        cli(home, "eval", "model4", "--folds", 2, *SMALL, "--json"),
    )
    assert text.status == as_json.status == 130
    assert only_line(text.err) == "cftui: stopped after 0 of 2 folds"
    assert text.out == ""
    assert as_json.json["event"] == "stopped"
    assert as_json.json["finished"] == 0
    assert as_json.json["mean"]["mse"] is None


def test_several_lengths_are_judged_at_once(home: Home, cli) -> None:
    found = cli(home, "eval", "model4.run", "-k", "2,5", "--json").json["ranking"]
    assert found["k"] == 5
    assert found["by_length"]["5"]["model"] == found["model"]
    assert (
        found["by_length"]["2"]["model"] == cli(home, "eval", "model4.run", "-k", 2, "--json").json["ranking"]["model"]
    )
    wrong = cli(home, "eval", "model4.run", "-k", "2,x")
    assert wrong.status == 2
    assert "must be a whole number from 1 to 10,000, or several with commas" in wrong.err


def test_a_run_that_is_no_better_than_popularity_says_so(home: Home, cli) -> None:
    said = cli(home, "eval", "model1.run")
    assert "popularity" in said.out.splitlines()[-1]
    assert "cftui train ease" in said.err


def test_a_model_that_predicts_no_ratings_has_lists_and_no_errors(home: Home, cli) -> None:
    found = cli(home, "eval", "ease.run", "--json").json
    assert "valid" not in found
    assert set(found["lists"]["model"]) >= {"ndcg_interval", "coverage", "gini", "novelty", "popularity", "diversity"}
    text = cli(home, "eval", "ease.run").out
    assert "mse" not in text
    assert text.startswith("NDCG@10 .")
    assert "\n\nlists of 10" in text


def test_two_runs_are_judged_and_compared_as_one_recommender(home: Home, cli) -> None:
    found = cli(home, "eval", "ease.run", "--rated-by", "model4.run", "--json").json
    assert list(found["ranking"])[4:7] == ["model", "both", "rater"]
    alone = cli(home, "eval", "model4.run", "--json").json["ranking"]["model"]
    assert found["ranking"]["rater"] == pytest.approx(alone)
    said = cli(home, "runs", "compare", "ease.run", "model4.run")
    assert "on the same" in said.out
    row = cli(home, "runs", "compare", "ease.run", "model4.run", "--json").json[-1]
    assert row["ease.run"] == pytest.approx(found["ranking"]["model"]["ndcg"])
    assert row["model4.run"] == pytest.approx(alone["ndcg"])
    assert row["low"] < row["ease.run"] - row["model4.run"] < row["high"]


def test_recommendations_have_both_numbers_and_a_reason(home: Home, cli) -> None:
    arguments = ("recommend", "--run", "ease.run", "--user", 7, "--rated-by", "model4.run")
    found = cli(home, *arguments, "--json").json
    assert (found["rated_by"], found["order"]) == ("model4.run", "choice")
    for row in found["rows"]:
        assert {"place", "score", "predicted", "liked", "because"} <= set(row)
    assert any(row["because"] for row in found["rows"])
    assert "the likeliest choices first" in cli(home, *arguments).err
    other = cli(home, *arguments, "--order", "rating", "--json").json["rows"]
    assert [row["predicted"] for row in other] == sorted((row["predicted"] for row in other), reverse=True)
    refused = cli(home, "recommend", "--run", "model4.run", "--user", 7, "--rated-by", "ease.run")
    assert refused.status == 1
    assert "ease.run predicts no ratings" in refused.err
    assert cli(home, "recommend", "--run", "ease.run", "--user", 7, "--order", "both").status == 2


def test_a_recipe_is_judged_by_a_protocol(home: Home, cli) -> None:
    arguments = ("eval", "ease", "--protocol", "recommenders", "--data", "tiny", "--lambda", 20)
    found = cli(home, *arguments, "--json").json
    assert (found["protocol"], found["seed"], found["k"]) == ("recommenders", 42, 10)
    assert list(found["lists"]["model"]) == ["map_r", "ndcg", "precision", "recall"]
    text = cli(home, *arguments, "-k", 3).out
    assert "lists of 3" in text
    assert "every rating held back is relevant" in text
    for more in (["--folds", 2], ["--run", "ease.run"], ["--relevant", 3]):
        assert cli(home, *arguments, *more).status == 2
    assert cli(home, "eval", "--protocol", "codex").status == 2
    assert "no protocol 'codexx'; did you mean codex" in cli(home, "eval", "ease", "--protocol", "codexx").err
