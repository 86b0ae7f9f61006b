"""Published files become weights files of ours; what does not fit or could run code is refused."""

import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from published_networks import official_shapes

from im2hands_ros import cli
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper import official
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialOccupancy
from im2hands_ros.networks.paper.networks import PaperNetworks, start_refinement
from im2hands_ros.networks.paper.official import LAYOUTS, convert_file, read_official
from im2hands_ros.networks.paper.presets import PAPER, PaperInitialPreset
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy

INVENTORY = {kind: kind for kind in ("init_occ", "ref_occ", "kpts_ref", "halo_baseline")} | {
    "intaghand_baseline": "intaghand_baseline_encoder_subset"
}


def value_of(name: str) -> float:
    return zlib.crc32(name.encode()) % 1000 / 1000


def fake_state(kind: str) -> dict[str, torch.Tensor]:
    """The published names and shapes; every tensor is one number, so that files stay small."""
    return {
        name: torch.tensor(value_of(name)).expand(shape)
        if not name.endswith("num_batches_tracked")
        else torch.tensor(7)
        for name, shape in official_shapes(INVENTORY[kind]).items()
    }


def trained(state) -> dict:
    """What the published trainer writes: optimizer, counters and a numpy scalar beside it."""
    return {
        "model": state,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]},
        "epoch_it": 12,
        "it": 3400,
        "loss_val_best": np.float64(0.875),
    }


def import_checkpoint(path: Path, out: Path) -> int:
    return cli.main(["import-checkpoint", str(path), "-o", str(out)])


def saved(tmp_path, content, name="model_best.pt") -> Path:
    path = tmp_path / name
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("kind", "dead"),
    [
        ("init_occ", 6),
        ("ref_occ", 12),
        ("kpts_ref", 6 + 2 + 4 + 32),
        ("halo_baseline", 0),
        ("intaghand_baseline", 6),
    ],
)
def test_every_name_is_used_or_dropped_on_purpose(kind, dead):
    result = convert_file(kind, fake_state(kind))
    assert result.problems == [] and result.ignored == []
    assert len(result.dropped) == dead


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_kind_is_printed_by_the_content(tmp_path, kind):
    state = fake_state(kind)
    path = saved(tmp_path, state if kind == "intaghand_baseline" else trained(state))
    assert read_official(path)[0] == kind


def test_an_imported_file_loads_into_our_network(tmp_path, capsys):
    path, out = saved(tmp_path, trained(fake_state("init_occ"))), tmp_path / "init.safetensors"
    assert import_checkpoint(path, out) == 0
    printed = capsys.readouterr().out
    assert "init_occ, 848 tensors" in printed and "image_encoder.resnet.fc.weight" in printed
    network = PaperInitialOccupancy(PaperInitialPreset())
    record = checkpoints.load_into(network, out)
    assert record["source"]["kind"] == "init_occ" and record["complete"]
    third = network.hands["left"].decoder.third.weight
    for bone in range(16):
        expected = value_of(f"left_decoder.lin{bone}_2.weight")
        assert torch.allclose(third[bone], torch.tensor(expected))


def test_plain_halo_fills_both_hands_and_gets_zero_image_columns(tmp_path):
    path, out = saved(tmp_path, trained(fake_state("halo_baseline"))), tmp_path / "o.safetensors"
    assert import_checkpoint(path, out) == 0
    tensors, record = checkpoints.read(out)
    assert not record["complete"] and len(record["widened"]) == 32
    assert all(".decoder." in name for name in tensors)
    for side in ("left", "right"):
        third = tensors[f"hands.{side}.decoder.third.weight"]
        assert third.shape == (16, 64, 83)
        assert torch.allclose(third[5, :, :64], torch.tensor(value_of("decoder.lin5_2.weight")))
        assert not third[..., 64:].any()


def test_other_parts_of_intaghand_are_ignored(tmp_path, capsys):
    state = fake_state("intaghand_baseline") | {"module.mid_model.weight": torch.zeros(3)}
    out = tmp_path / "o.safetensors"
    assert import_checkpoint(saved(tmp_path, state), out) == 0
    assert "1 of other networks, ignored: module.mid_model.weight" in capsys.readouterr().out
    assert all(name.startswith("encoder.") for name in checkpoints.read(out)[0])


def occupancy_and_keypoints(tmp_path) -> list[str]:
    return [
        str(saved(tmp_path, trained(fake_state(kind)), f"{kind}.pt"))
        for kind in ("kpts_ref", "init_occ")
    ]


def test_occupancy_and_keypoints_become_one_weights_file_whatever_their_order(tmp_path):
    paths, out = occupancy_and_keypoints(tmp_path), tmp_path / "both.safetensors"
    assert cli.main(["import-checkpoint", *paths, "-o", str(out)]) == 0
    networks, record = PaperNetworks.load(out)
    assert record["source"]["kind"] == "init_occ"
    assert record["keypoints"]["source"]["file"] == "kpts_ref.pt"
    expected = torch.tensor(value_of("left_reg.0.weight"))
    assert torch.allclose(networks.keypoints.regress_first.weight, expected)
    expected = torch.tensor(value_of("right_decoder.lin3_1.weight"))
    assert torch.allclose(networks.occupancy.hands["right"].decoder.second.weight[3], expected)


@pytest.mark.parametrize("kinds", [("init_occ", "init_occ"), ("halo_baseline", "kpts_ref")])
def test_networks_that_do_not_belong_in_one_file_are_named(tmp_path, capsys, kinds):
    paths = [
        str(saved(tmp_path, trained(fake_state(kind)), f"{number}.pt"))
        for number, kind in enumerate(kinds)
    ]
    out = tmp_path / "o.safetensors"
    assert cli.main(["import-checkpoint", *paths, "-o", str(out)]) == 2
    assert f"{', '.join(kinds)} are no two networks of one weights file" in capsys.readouterr().err
    assert not out.exists()


def test_a_refinement_starts_from_the_initial_network(tmp_path):
    """As its published training does: the network itself, and its encoder once more."""
    path, out = saved(tmp_path, trained(fake_state("init_occ"))), tmp_path / "start.safetensors"
    words = ["import-checkpoint", str(path), "-o", str(out), "--start-refinement", "7"]
    assert cli.main(words) == 0
    network = PaperRefinedOccupancy(PAPER)
    record = checkpoints.load_into(network, out)
    assert record["started_from_seed"] == 7 and not record["complete"]
    for own, inner in (
        (network.encoder, network.initial.encoder),
        (network.project, network.initial.project),
    ):
        for name, tensor in own.state_dict().items():
            assert torch.equal(tensor, inner.state_dict()[name])
    assert torch.allclose(network.project.bias, torch.tensor(value_of("image_final_layer.bias")))
    assert network.anchors.embed.weight.std() > 0
    assert all(not block.second.weight.any() for block in network.queries.blocks)
    initial = dict(network.initial.state_dict())
    again, other = start_refinement(initial, 7), start_refinement(initial, 8)
    name = "anchors.embed.weight"
    assert torch.equal(again[name], network.anchors.embed.weight)
    assert not torch.equal(again[name], other[name])


def test_a_refinement_starts_from_nothing_else(tmp_path, capsys):
    path, out = saved(tmp_path, trained(fake_state("kpts_ref"))), tmp_path / "o.safetensors"
    words = ["import-checkpoint", str(path), "-o", str(out), "--start-refinement", "7"]
    assert cli.main(words) == 2
    assert "refinement starts from init_occ alone: this is kpts_ref" in capsys.readouterr().err
    assert not out.exists()


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "left_reg.0.bias"), "missing left_reg.0.bias"),
        (lambda s: {**s, "left_reg.9.bias": torch.zeros(3)}, "unexpected left_reg.9.bias"),
        (
            lambda s: {**s, "left_id_emb.weight": torch.zeros(20, 16)},
            "left_id_emb.weight is (20, 16), needs (21, 16)",
        ),
        (
            lambda s: {**s, "img_proj_layer.bias": torch.full((256,), torch.nan)},
            "img_proj_layer.bias has non-finite values",
        ),
    ],
)
def test_names_that_do_not_fit_are_listed_and_nothing_is_written(tmp_path, capsys, change, message):
    out = tmp_path / "o.safetensors"
    path = saved(tmp_path, trained(change(fake_state("kpts_ref"))))
    assert import_checkpoint(path, out) == 2
    printed = capsys.readouterr()
    assert message in printed.out.splitlines() and message in printed.err
    assert not out.exists()


class _Exploit:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self):
        return Path.touch, (self.sentinel,)


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_would_run_code_is_refused_and_never_runs(tmp_path, capsys, plain):
    sentinel, out = tmp_path / "executed", tmp_path / "o.safetensors"
    content = {"model": fake_state("init_occ"), "extra": _Exploit(sentinel)}
    path = tmp_path / "init_occ.pt"
    if plain:
        path.write_bytes(pickle.dumps(_Exploit(sentinel)))
    else:
        torch.save(content, path)
    assert import_checkpoint(path, out) == 2
    assert "nothing was executed" in capsys.readouterr().err
    assert not sentinel.exists() and not out.exists()


def test_numpys_old_module_name_is_let_in(tmp_path):
    """The published files were written with numpy 1."""
    new, path = saved(tmp_path, trained(fake_state("halo_baseline"))), tmp_path / "old.pt"
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename.endswith("data.pkl"):
                content = content.replace(b"numpy._core.", b"numpy.core.")
                assert b"numpy.core.multiarray\nscalar" in content
            target.writestr(item.filename, content)
    assert read_official(path)[0] == "halo_baseline"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": [1, 2]}, "holds no state dict"),
        ({"model": {"conv.weight": torch.zeros(2)}}, "none of the published networks"),
        (torch.zeros(3), "holds no state dict"),
    ],
)
def test_other_files_are_named_as_such(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_official(saved(tmp_path, content))


def test_damaged_missing_and_huge_files_are_named(tmp_path, monkeypatch):
    path = saved(tmp_path, trained(fake_state("halo_baseline")))
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ValueError, match=r"model_best.pt is not a complete PyTorch file"):
        read_official(path)
    with pytest.raises(FileNotFoundError, match="nowhere.pt does not exist"):
        read_official(tmp_path / "nowhere.pt")
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="more than 10"):
        official.read_official(path)


def test_an_output_that_is_no_safetensors_file_is_refused_before_reading(tmp_path, capsys):
    assert import_checkpoint(tmp_path / "nowhere.pt", tmp_path / "out.pt") == 2
    assert "out.pt is no .safetensors file" in capsys.readouterr().err
