#pragma once
#include "copy2d.h"
#include "pad.h"
