#include "services/gateway/http/front.h"

namespace slipway::gateway {

http::Router MakeFront(const FrontOptions&) { return http::Router(); }

}  // namespace slipway::gateway
