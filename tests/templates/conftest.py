"""What the tests of the templates share."""

import pytest

from tests.templates.image import Image, make_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make_image(tmp_path_factory.mktemp("image"))
