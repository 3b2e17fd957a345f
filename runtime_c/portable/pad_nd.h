#pragma once
#include "copy_nd.h"
#include "pad.h"
