"""MAE and those of its tensors: plain ViTs, which usfm's own encoder reads."""

from usfm.model.families.contract import USUAL, Family

MAE = Family(
    "MAE, or another plain ViT",
    "none of the marks of others",
    "vit_base_patch16_224",
    lambda found: True,
    heads=USUAL,
    licence="CC-BY-NC 4.0 (MAE)",
    source="facebookresearch/mae",
)
USF_MAE = Family(
    "USF-MAE",
    "MAE's tensors, and `usf-mae` in the file's name or `?family=usf-mae`",
    "vit_base_patch16_224",
    like="mae",
    names=("usf-mae", "usfmae", "usf_mae"),
    heads=USUAL,
    licence="MIT; they started from MAE's weights (CC-BY-NC 4.0)",
    source="Yusufii9/USF-MAE",
)
ULTRAFEDFM = Family(
    "UltraFedFM",
    "MAE's tensors, and `ultrafedfm` in the file's name or `?family=ultrafedfm`",
    "vit_base_patch16_224",
    like="mae",
    names=("ultrafedfm",),
    heads=USUAL,
    licence="Apache-2.0",
    source="yuncheng97/UltraFedFM",
)
DEBLURMAE = Family(
    "Deblurring MAE",
    "MAE's tensors, and `deblur` in the file's name or `?family=deblurmae`",
    "vit_base_patch16_224",
    like="mae",
    names=("deblur",),
    heads=USUAL,
    blur_px=1.1,
    licence="CC-BY-NC 4.0",
    source="MembrAI/DeblurringMIM",
)
