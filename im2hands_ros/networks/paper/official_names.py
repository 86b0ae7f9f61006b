"""How the published checkpoints name what our networks hold, and what nobody needs of them.

A tree follows our names element by element. Its leaves are official names, to which the rest of
our name is added; a pair renames one element and goes on. ``#`` stands for a bone's number where
we stack what the published code keeps in 16 modules.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from im2hands_ros.canonical import BONE_SLOT_COUNT
from im2hands_ros.skeleton import SIDES

Tree: TypeAlias = "dict[str, str | tuple[str, Tree]]"

# Parameters that never influence a published result, so our networks do not have them.
_DEAD = re.compile(
    r"(^|\.)image_encoder\.(resnet\.fc|(hms|dp)_decoder\.final_layer)\."
    r"|^img_final_layer\.|^right_reg\.|\.GCN_blocks\.\d+\.norm1\."
)


def official_names(network: str, name: str) -> list[str]:
    """The official tensors that our tensor of this name is made of: one, or one per bone."""
    official = _walk(TREES[network], name)
    if "#" not in official:
        return [official]
    return [official.replace("#", str(bone)) for bone in range(BONE_SLOT_COUNT)]


def is_dead(official: str) -> bool:
    """Is this official parameter one that never influences a result?"""
    return _DEAD.search(official) is not None


def _walk(tree: Tree, name: str) -> str:
    element, _, rest = name.partition(".")
    node = tree[element]
    if isinstance(node, str):
        return _join(node, rest)
    return _join(node[0], _walk(node[1], rest))


def _join(*elements: str) -> str:
    return ".".join(element for element in elements if element)


_ATTENTION: Tree = {
    "norm": "layer_norm",
    "query": "w_qs",
    "key": "w_ks",
    "value": "w_vs",
    "output": "fc",
    "feed_norm": "ff.layer_norm",
    "feed_first": "ff.fc1",
    "feed_second": "ff.fc2",
}
_IMAGE_ATTENTION: Tree = {
    "project": "encoder.proj",
    "positions": "encoder.position_embeddings.weight",
    "among_tokens": ("encoder.self_attn", _ATTENTION),
    "to_query_width": "attn.fc",
    "from_queries": ("attn.Attn", _ATTENTION),
}
_BOTTLENECK: Tree = {
    "first": "conv1",
    "first_norm": "bn1",
    "second": "conv2",
    "second_norm": "bn2",
    "third": "conv3",
    "third_norm": "bn3",
    "shortcut": "downsample.0",
    "shortcut_norm": "downsample.1",
}
_STAGE: Tree = {str(block): (str(block), _BOTTLENECK) for block in range(6)}
_BACKBONE: Tree = {
    "stem": "conv1",
    "stem_norm": "bn1",
    "stages": ("", {str(stage): (f"layer{stage + 1}", _STAGE) for stage in range(4)}),
}
_TOP_DOWN: Tree = {"0": ("models.0", {"conv": "0", "norm": "2"})}
_TOP_DOWN |= {str(i): (f"models.{i}", {"conv": "1", "norm": "3"}) for i in range(1, 4)}
_ENCODER: Tree = {
    "backbone": ("resnet", _BACKBONE),
    "heat": ("hms_decoder", _TOP_DOWN),
    "dense": ("dp_decoder", _TOP_DOWN),
}
_DECODER: Tree = {
    "shape_first": "bone_encoder.linear1",
    "shape_second": "bone_encoder.linear2",
    "pose": "global_proj#",
    "first": "lin#_0",
    "second": "lin#_1",
    "third": "lin#_2",
    "fourth": "lin#_3",
    "last": "lin#_4",
}


def _initial_hand(side: str) -> Tree:
    return {
        "embed_first": f"{side}_pt_embeddings.0",
        "embed_second": f"{side}_pt_embeddings.3",
        "attention": (f"img_ex_{side}", _IMAGE_ATTENTION),
        "decoder": (f"{side}_decoder", _DECODER),
    }


_INITIAL: Tree = {
    "encoder": ("image_encoder", _ENCODER),
    "project": "image_final_layer",
    "hands": ("", {side: ("", _initial_hand(side)) for side in SIDES}),
}

_TWO_LAYERS: Tree = {"first": "0", "second": "2"}
_POINT_ATTENTION: Tree = {
    "offset": ("fc_delta", _TWO_LAYERS),
    "score": ("fc_gamma", _TWO_LAYERS),
    "query": "w_qs",
    "key": "w_ks",
    "value": "w_vs",
    "norm": "bn",
}
_POINT_MIX: Tree = {
    "first": "conv1",
    "first_norm": "bn1",
    "second": "conv2",
    "second_norm": "bn2",
    "norm": "bn3",
}
_DOWN: Tree = {
    "offset": ("fc_delta1", _TWO_LAYERS),
    "first_query": "w_qs",
    "first_key": "w_ks",
    "first_value": "w_vs",
    "first_score": ("fc_gamma1", _TWO_LAYERS),
    "second_query": "w_qs2",
    "second_key": "w_ks2",
    "second_value": "w_vs2",
    "second_score": ("fc_gamma2", _TWO_LAYERS),
    "mix_first": "conv1",
    "mix_norm": "bn1",
    "mix_second": "conv2",
    "first_norm": "bnorm0",
    "second_norm": "bnorm1",
    "norm": "bnorm2",
}


def _anchor_level(level: int) -> Tree:
    return {
        "down": (f"transition_downs.{level}.sa", _DOWN),
        "mix": (f"elementwise_extras.{level}", _POINT_MIX),
        "attend": (f"transformer_downs.{level}", _POINT_ATTENTION),
        "widen": "fc1",
        "mix_after": (f"elementwise.{level}", _POINT_MIX),
    }


def _anchor_block(block: int) -> Tree:
    return {
        "attend": (f"final_transformers.{block}", _POINT_ATTENTION),
        "mix": (f"final_elementwise.{block}", _POINT_MIX),
    }


_ANCHORS: Tree = {
    "embed": "enc_sdf",
    "begin": ("transformer_begin", _POINT_ATTENTION),
    "levels": ("", {str(level): ("", _anchor_level(level)) for level in range(2)}),
    "blocks": ("", {str(block): ("", _anchor_block(block)) for block in range(3)}),
    "code": ("fc_middle", _TWO_LAYERS),
}


def _query_block(block: int) -> Tree:
    return {
        "attended": f"fc_c.{block}",
        "first": f"blocks.{block}.fc_0",
        "second": f"blocks.{block}.fc_1",
    }


_QUERY_ATTENTION: Tree = {"global_key": "w_k_global", "global_value": "w_v_global"}
_QUERIES: Tree = {
    "attention": ("ct1", _POINT_ATTENTION | _QUERY_ATTENTION),
    "start": "init_enc",
    "blocks": ("", {str(block): ("", _query_block(block)) for block in range(5)}),
    "last": "fc_out",
}
_REFINED: Tree = {
    "initial": ("init_occ", _INITIAL),
    "encoder": ("image_encoder", _ENCODER),
    "project": "image_final_layer",
    "heat_code": "hms_global_layer",
    "dense_code": "dp_global_layer",
    "context_code": "context_enc.0",
    "anchors": ("trans_enc", _ANCHORS),
    "queries": ("trans_dec", _QUERIES),
}

_GRAPH_BLOCK: Tree = {
    "first": "fc1",
    "first_norm": "norm2",
    "second": "fc2",
    "second_norm": "norm3",
    "shortcut": "shortcut",
}
_GRAPH: Tree = {str(block): (f"GCN_blocks.{block}", _GRAPH_BLOCK) for block in range(2)}


def _joint_layer(layer: int, side: str) -> Tree:
    return {
        "graph": (f"gcn_layers.{layer}.graph_{side}", _GRAPH),
        "attention": (f"gcn_layers.{layer}.img_ex_{side}", _IMAGE_ATTENTION),
    }


def _joint_hand(side: str) -> Tree:
    return {
        "identity": f"{side}_id_emb.weight",
        "embed_first": f"{side}_pt_emb.0",
        "embed_second": f"{side}_pt_emb.3",
        "layers": ("", {str(layer): ("", _joint_layer(layer, side)) for layer in range(4)}),
    }


_KEYPOINTS: Tree = {
    "encoder": ("image_encoder", _ENCODER),
    "project": "img_proj_layer",
    "hands": ("", {side: ("", _joint_hand(side)) for side in SIDES}),
    # The left hand's regressor serves both hands.
    "regress_first": "left_reg.0",
    "regress_second": "left_reg.3",
}

TREES: dict[str, Tree] = {"init_occ": _INITIAL, "ref_occ": _REFINED, "kpts_ref": _KEYPOINTS}
