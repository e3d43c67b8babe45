"""What looks: attribution methods explain images, synthesis methods draw what a class is suspected to react to."""

from typing import Any

from gifthorse.registry import Row, Table

_ATTRIBUTION = "gifthorse.tools.attribution"
_SYNTHESIS = "gifthorse.tools.synthesis"

TOOLS = Table(
    "tool",
    {
        "saliency": Row(f"{_ATTRIBUTION}.saliency:Saliency", "attribution", 1, "Simonyan et al. 2013, through Captum"),
        "occlusion": Row(f"{_ATTRIBUTION}.occlusion:Occlusion", "attribution", 1, "Zeiler and Fergus 2013"),
        "input_x_gradient": Row(
            f"{_ATTRIBUTION}.input_x_gradient:InputXGradient",
            "attribution",
            1,
            "Shrikumar et al. 2016, through Captum",
        ),
        "feature_ablation": Row(
            f"{_ATTRIBUTION}.feature_ablation:FeatureAblation", "attribution", 1, "Kokhlikyan et al. 2020 (Captum)"
        ),
        "feature_permutation": Row(
            f"{_ATTRIBUTION}.feature_permutation:FeaturePermutation", "attribution", 1, "Fisher et al. 2019, in a pool"
        ),
        "lime": Row(f"{_ATTRIBUTION}.lime:Lime", "attribution", 1, "Ribeiro et al. 2016"),
        "kernel_shap": Row(f"{_ATTRIBUTION}.kernel_shap:KernelShap", "attribution", 1, "Lundberg and Lee 2017"),
        "shapley_value_sampling": Row(
            f"{_ATTRIBUTION}.shapley_value_sampling:ShapleyValueSampling", "attribution", 1, "Castro et al. 2009"
        ),
        "integrated_gradients": Row(
            f"{_ATTRIBUTION}.integrated_gradients:IntegratedGradients",
            "attribution",
            1,
            "Sundararajan et al. 2017, through Captum",
        ),
        "deeplift": Row(
            f"{_ATTRIBUTION}.deeplift:DeepLift", "attribution", 1, "Shrikumar et al. 2017, ours on a prepared copy"
        ),
        "deeplift_shap": Row(
            f"{_ATTRIBUTION}.deeplift_shap:DeepLiftShap",
            "attribution",
            1,
            "Lundberg and Lee 2017, ours on a prepared copy",
        ),
        "gradient_shap": Row(
            f"{_ATTRIBUTION}.gradient_shap:GradientShap", "attribution", 1, "Erion et al. 2021, with our own draws"
        ),
        "guided_backprop": Row(
            f"{_ATTRIBUTION}.guided_backprop:GuidedBackprop",
            "attribution",
            1,
            "Springenberg et al. 2014, ours on a prepared copy",
        ),
        "deconvolution": Row(
            f"{_ATTRIBUTION}.deconvolution:Deconvolution",
            "attribution",
            1,
            "Zeiler and Fergus 2013, ours on a prepared copy",
        ),
        "guided_gradcam": Row(
            f"{_ATTRIBUTION}.guided_gradcam:GuidedGradcam",
            "attribution",
            1,
            "Selvaraju et al. 2017, ours on a prepared copy",
        ),
        "lrp": Row(f"{_ATTRIBUTION}.lrp:Lrp", "attribution", 1, "Bach et al. 2015, ours on a prepared copy"),
        "edges_sobel": Row(
            f"{_ATTRIBUTION}.edges:EdgesSobel",
            "attribution",
            1,
            "floor: an edge detector, as in Adebayo et al. 2018",
            floor=True,
        ),
        "edges_canny": Row(
            f"{_ATTRIBUTION}.edges_canny:EdgesCanny",
            "attribution",
            1,
            "floor: another edge detector, Canny 1986",
            floor=True,
        ),
        "centre": Row(
            f"{_ATTRIBUTION}.centre:Centre", "attribution", 1, "floor: a bump in the middle of every image", floor=True
        ),
        "random": Row(f"{_ATTRIBUTION}.noise_map:NoiseMap", "attribution", 2, "floor: white noise", floor=True),
        "blank": Row(f"{_ATTRIBUTION}.blank:Blank", "attribution", 1, "floor: the same value everywhere", floor=True),
        "tabor": Row(f"{_SYNTHESIS}.tabor:Tabor", "synthesis", 2, "Guo et al. 2019, as in thesis 5.3.1"),
        "fourier_inner": Row(
            f"{_SYNTHESIS}.fourier_inner:FourierInner",
            "synthesis",
            2,
            "Olah et al. 2017, as in Lucent and thesis 5.3.1",
        ),
        "fourier_target": Row(
            f"{_SYNTHESIS}.fourier_target:FourierTarget", "synthesis", 2, "Olah et al. 2017, as in Lucent"
        ),
        "cppn_inner": Row(
            f"{_SYNTHESIS}.cppn_inner:CppnInner",
            "synthesis",
            2,
            "Mordvintsev et al. 2018, as in Lucent and thesis 5.3.1",
        ),
        "maco_target": Row(f"{_SYNTHESIS}.maco_target:MacoTarget", "synthesis", 2, "Fel et al. 2023"),
        "adversarial_patch": Row(
            f"{_SYNTHESIS}.adversarial_patch:AdversarialPatch", "synthesis", 2, "Brown et al. 2017, as in thesis 5.3.1"
        ),
        "cppn_target": Row(
            f"{_SYNTHESIS}.cppn_target:CppnTarget",
            "synthesis",
            2,
            "Mordvintsev et al. 2018, as in Lucent",
        ),
        "rfla_perturb": Row(
            f"{_SYNTHESIS}.rfla_perturb:RflaPerturb", "synthesis", 3, "Casper et al. 2022, as in thesis 5.1"
        ),
        "rfla_generate": Row(
            f"{_SYNTHESIS}.rfla_generate:RflaGenerate", "synthesis", 3, "thesis 5.3.1 (RFLA-Gen), with a diversity term"
        ),
        "rfla_region": Row(
            f"{_SYNTHESIS}.rfla_region:RflaRegion",
            "synthesis",
            3,
            "Casper et al. 2022, as in thesis 5.1.2: regions, generalized patches, channels",
        ),
        "snafue": Row(
            f"{_SYNTHESIS}.snafue:Snafue", "synthesis", 2, "thesis 5.2: natural patches, by their embeddings"
        ),
        "noise": Row(f"{_SYNTHESIS}.controls:Noise", "synthesis", 1, "control: pictures of white noise", floor=True),
        "truth": Row(
            f"{_SYNTHESIS}.controls:Truth",
            "synthesis",
            1,
            "control: the true trigger, blurred and jittered; the judge's ceiling",
            floor=True,
        ),
    },
)


def tool(name: str, **settings: Any) -> Any:
    """A tool by name: ``tool("occlusion", window=12)`` (an ``Attribution`` or a ``Synthesis`` of ``tools.base``).

    Raises:
        UsageError: an unknown name or setting, with the nearest valid one.
        MissingExtra: it needs a package that is not installed.
    """
    return TOOLS.make(name, settings)
