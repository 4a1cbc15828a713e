/** Sentences of refusals, releases, alerts and roles, by their English wording in the source. */
export const sentences: Readonly<Record<string, string>> = {
  'Wrong code. Enter the one that your app shows now; each works once.':
    '验证码错误。请输入应用当前显示的验证码；每个只能使用一次。',
  'This passkey was not accepted. Try again, or use another way.': '此通行密钥未被接受。请重试，或使用其他方式。',
  'This request has expired. Try again.': '此请求已过期，请重试。',
  'Name the passkey in 1 to {max} characters, such as "phone" or "security key".':
    '请用 1 到 {max} 个字符为通行密钥命名，例如“手机”或“安全密钥”。',
  'An account can have at most {count} passkeys. Remove one first.':
    '一个账号最多可有 {count} 个通行密钥。请先移除一个。',
  'This passkey is registered already.': '此通行密钥已注册。',
  'Passkeys need a public URL with HTTPS and a host name, or one on localhost.':
    '通行密钥需要使用 HTTPS 和主机名的公开网址，或 localhost 上的网址。',
  'This key has expired. Set up the app for codes again.': '此密钥已过期。请重新设置验证码应用。',
  'Your account must have a second factor. Set up another one before you remove this one.':
    '你的账号必须有第二因素。请先设置另一个，再移除此项。',
  'Your account has a second factor already. Log in with it.': '你的账号已有第二因素。请使用它登录。',
  'Only an admin can do this. Ask an admin of this server.': '只有管理员可以执行此操作。请联系此服务器的管理员。',

  'You are a {role} of {id}. Only its {role2}s can do this. Ask an owner for that role.':
    '你在 {id} 中的角色是 {role}，而此操作需要 {role2} 角色。请向所有者申请该角色。',
  'An app "{id}" already exists.': '应用“{id}”已存在。',
  'An app named "{name}" already exists.': '名为“{name}”的应用已存在。',
  'The app {id} is being deleted. Try again in a moment.': '应用 {id} 正在删除，请稍后再试。',
  '"{id}" is not a valid app id. Use 2 to 63 of a-z, 0-9 and "-", starting and ending with a letter or a digit.':
    '“{id}”不是有效的应用 ID。请使用 2 到 63 个 a-z、0-9 和“-”，并以字母或数字开头和结尾。',
  'The app id "{id}" is reserved. Choose another one.': '应用 ID“{id}”为保留名称，请换一个。',
  'The app id "{id}" is reserved: only previews have "--" in their ids. Choose another one.':
    '应用 ID“{id}”为保留名称：只有预览的 ID 可以包含“--”。请换一个。',
  'The name of the app is required.': '请填写应用名称。',
  'There is no app "{id}".': '没有应用“{id}”。',
  'The app did not answer within {seconds} s.': '应用在 {seconds} 秒内没有响应。',
  'The start was cancelled.': '启动已取消。',
  "The app's cage could not be set up. The app's log says why.": '无法建立应用的沙箱，原因见应用日志。',
  'The build was cancelled.': '构建已取消。',
  'Superseded by release {number}.': '已被版本 {number} 取代。',
  '{branch} is the deploy branch of {id} and cannot have a preview.': '{branch} 是 {id} 的部署分支，不能有预览。',
  '"{name}" is not a valid branch name.': '“{name}”不是有效的分支名。',
  'The branch {branch} has changed in the meantime. Fetch it, then push again.':
    '分支 {branch} 在此期间已变更。请先拉取，再重新推送。',
  '{id} has no branch "{branch}". Push it first.': '{id} 没有分支“{branch}”。请先推送。',
  'The CSRF token is missing. Reload the page and try again.': '缺少 CSRF 令牌。请刷新页面后重试。',
  'This page is from an older session. Reload it and try again.': '此页面来自较早的会话。请刷新页面后重试。',
  'There is no destination "{id}".': '没有通知目标“{id}”。',
  'There can be at most {count} destinations. Remove one first.': '最多可有 {count} 个通知目标。请先移除一个。',
  'Enter a URL that begins with {forms}, without a user name.': '请输入以 {forms} 开头且不含用户名的 URL。',
  'There is no drain "{id}".': '没有日志转发“{id}”。',
  'There can be at most {count} drains. Remove one first.': '最多可有 {count} 个日志转发。请先移除一个。',
  'Enter an email address, such as ada@example.com.': '请输入邮箱地址，例如 ada@example.com。',
  'There is already an account for {email}.': '{email} 已有账号。',
  'The file has no line of the form NAME=value.': '文件中没有形如 NAME=value 的行。',
  '"{field}" is required.': '“{field}”为必填项。',
  '"{field}" must not be empty.': '“{field}”不能为空。',
  '"{field}" must have at least {count} characters.': '“{field}”至少需要 {count} 个字符。',
  '"{field}" must have at most {count} characters.': '“{field}”最多 {count} 个字符。',
  '"{field}" must be at most {count}.': '“{field}”不能大于 {count}。',
  '"{field}" must be at least {count}.': '“{field}”不能小于 {count}。',
  '"{field}" must be one of {values}.': '“{field}”必须是以下之一：{values}。',
  '"{field}" must be a whole number from 1 to {most}.': '“{field}”必须是 1 到 {most} 的整数。',
  'Choose at least one alert.': '请至少选择一种告警。',
  'Someone else changed {path} while you edited it, so your version was not saved. Save again to replace theirs with the text below.':
    '在你编辑期间，其他人修改了 {path}，因此你的版本未保存。再次保存将以下方文本替换其修改。',
  'A file named "{path}" already exists. Choose another name.': '名为“{path}”的文件已存在，请换一个名称。',
  '{app} has no file "{path}".': '{app} 没有文件“{path}”。',
  'None of these files can be part of an app.': '这些文件都不能作为应用的一部分。',
  'A group has 1 to 100 letters, digits and characters of ._:/@+- without spaces, and starts with a letter or a digit.':
    '用户组由 1 到 100 个字母、数字和 ._:/@+- 中的字符组成，不含空格，以字母或数字开头。',
  'An account can be in at most {count} groups.': '一个账号最多可属于 {count} 个用户组。',
  'The server was just reloaded. Try again.': '服务器刚刚重新加载，请重试。',
  '{name} is the only admin. Make another account an admin first.':
    '{name} 是唯一的管理员。请先将另一个账号设为管理员。',
  '{app} would have no owner. Make someone else an owner first.': '{app} 将没有所有者。请先将其他人设为所有者。',
  'This link has expired or was already used.': '此链接已过期或已使用过。',
  'You are already logged in as {name}. Log out first to use another account.':
    '你已以 {name} 的身份登录。要使用其他账号，请先退出登录。',
  'No mail server is set. Ask the operator to set STREAMLIT_HOST_SMTP_URL and STREAMLIT_HOST_MAIL_FROM.':
    '未设置邮件服务器。请联系运维人员设置 STREAMLIT_HOST_SMTP_URL 和 STREAMLIT_HOST_MAIL_FROM。',
  'The test was not delivered: {why}.': '测试消息未送达：{why}。',
  'Your session has expired. Log in and try again.': '会话已过期。请登录后重试。',
  '{id} has not been deployed yet. Push to it first.': '{id} 尚未部署。请先推送。',
  '{id} no longer runs in place.': '{id} 不再就地运行。',
  'At most {count} origins can frame an app.': '最多 {count} 个来源可以嵌入一个应用。',
  'The current password is wrong.': '当前密码错误。',
  'Give the file a name, such as pages/2_Map.py.': '请为文件命名，例如 pages/2_Map.py。',
  '"{path}" can\'t be part of an app. Files like this are created by git, Python or the system.':
    '“{path}”不能作为应用的一部分。此类文件由 git、Python 或系统生成。',
  '"{path}" is not a valid file path. {why}': '“{path}”不是有效的文件路径。{why}',
  'All ports from {from} to {to} are in use. Stop an app, or widen the range with STREAMLIT_HOST_PORT_MIN and STREAMLIT_HOST_PORT_MAX.':
    '{from} 到 {to} 的端口均已占用。请停止一个应用，或通过 STREAMLIT_HOST_PORT_MIN 和 STREAMLIT_HOST_PORT_MAX 扩大范围。',
  'Previews send no alerts. Add the destination to the app itself.': '预览不发送告警。请在应用本身添加通知目标。',
  'The ids that a preview of {branch} could have are all taken. Rename the branch.':
    '{branch} 的预览可用的 ID 均已被占用。请重命名分支。',
  '{id} has no preview "{preview}".': '{id} 没有预览“{preview}”。',
  '{id} is a preview, and previews cannot have previews.': '{id} 是预览，预览不能再有预览。',
  '{id} is a preview and has the roles of {of}. Change them there.': '{id} 是预览，沿用 {of} 的角色。请在那里修改。',
  'Previews are off for {id}. Turn them on in its settings first.': '{id} 未启用预览。请先在其设置中启用。',
  'The project is {size}; the limit is {limit}. Store large files elsewhere.':
    '项目大小为 {size}，上限为 {limit}。请将大文件存放在其他位置。',
  'The project has {count} files; the limit is {limit}. Leave out files the app does not need.':
    '项目有 {count} 个文件，上限为 {limit} 个。请去掉应用不需要的文件。',
  'There is no such way to log in. Choose another one.': '没有这种登录方式，请选择其他方式。',
  '{name} did not log you in. Try again, or use another account.': '{name} 未能让你登录。请重试，或使用其他账号。',
  'Release {number} of {id} is live. Stop the app instead.': '{id} 的版本 {number} 在线上。请改为停止应用。',
  'Release {number} of {id} was never built.': '{id} 的版本 {number} 从未构建。',
  '{app} has no such release.': '{app} 没有该版本。',
  '{app} has no release {number}.': '{app} 没有版本 {number}。',
  'Could not check the pages: {problem}.': '无法检查页面：{problem}。',
  'You were logged out while you edited, so nothing was saved. Save again to store the text below.':
    '编辑期间你已退出登录，因此未保存任何内容。再次保存即可存储下面的文本。',
  'Someone else changed the secrets while you edited them, so yours were not saved. Save again to replace theirs with the text below.':
    '在你编辑期间，其他人修改了机密，因此你的内容未保存。再次保存将以下方文本替换其修改。',
  'Nothing was saved. Paste your secrets or choose a file.': '未保存任何内容。请粘贴机密或选择文件。',
  'The secrets are larger than {size} KiB.': '机密超过 {size} KiB。',
  'There is no session "{id}".': '没有会话“{id}”。',
  'There is no share link "{id}".': '没有分享链接“{id}”。',
  'There is no CI rule "{id}".': '没有 CI 规则“{id}”。',
  'This server doesn\'t know the CI service "{name}". Use {names}, or ask an admin to add it to STREAMLIT_HOST_CI_ISSUERS.':
    '此服务器不认识 CI 服务“{name}”。请使用 {names}，或请管理员将其添加到 STREAMLIT_HOST_CI_ISSUERS。',
  '{app} has {most} CI rules. Remove some first.': '{app} 已有 {most} 条 CI 规则。请先移除一些。',
  'Name the repository as {example}.': '请将仓库写为 {example} 的形式。',
  "The repository's id is a number.": '仓库 ID 是一个数字。',
  'Name one branch, such as main. Patterns are not supported.': '请填写一个分支，例如 main。不支持通配符。',
  'Use the name of an environment with at most 255 characters.': '环境名称最多 255 个字符。',
  'Name a branch or an environment. Otherwise, every job of the repository could deploy.':
    '请填写分支或环境。否则仓库的所有作业都能部署。',
  'The server is stopping. Push again once it is back.': '服务器正在停止。请在恢复后重新推送。',
  'There is no token "{id}".': '没有令牌“{id}”。',
  'Invalid token. Run "streamlit-host token" on the server to print it.':
    '令牌无效。在服务器上运行“streamlit-host token”可输出令牌。',
  'The upload exceeds the {size} limit. Leave out files the app does not need.':
    '上传内容超过 {size} 的上限。请去掉应用不需要的文件。',
  'The proxy in front of this server sent no valid {title} header. Ask an admin of this server.':
    '此服务器前面的代理没有发送有效的 {title} 标头。请联系此服务器的管理员。',
  'The account {email} is disabled. Enable it first.': '账号 {email} 已停用。请先启用。',
  'There is no account "{id}".': '没有账号“{id}”。',
  '"{name}" is not a valid name for a config var. Use up to {most} letters, digits and "_", not starting with a digit.':
    '“{name}”不是有效的配置变量名。最多 {most} 个字母、数字和“_”，且不能以数字开头。',
  'The name {name} is reserved: {why}.': '名称 {name} 为保留名称：{why}。',
  "{file} uses the config var {name}, which is not set. Set it in the app's config, then push again.":
    '{file} 使用了未设置的配置变量 {name}。请在应用的配置中设置，然后重新推送。',
  'This config var no longer exists.': '此配置变量已不存在。',
  'The value of {name} contains a NUL character, which environment variables cannot hold.':
    '{name} 的值包含 NUL 字符，环境变量不能包含该字符。',
  "The value of {name} is larger than {size} KiB. Keep it in a file in the app's storage instead.":
    '{name} 的值超过 {size} KiB。请改为保存在应用存储的文件中。',
  'An app can have at most {count} config vars and {size} KiB in total. Unset some first.':
    '一个应用最多可有 {count} 个配置变量，总计 {size} KiB。请先移除一些。',
  'The key file {path} is missing, but apps have files encrypted with it. Restore the one that belongs to this data folder.':
    '密钥文件 {path} 缺失，但应用有用它加密的文件。请恢复属于此数据文件夹的密钥文件。',
  "The server's disk is full. Free some space and try again.": '服务器磁盘已满。请释放空间后重试。',
  'Git on the server ended before it said what is pushed. Push again.':
    '服务器上的 Git 在说明推送内容之前已结束。请重新推送。',
  'The server has too many open files at the moment. Try again.': '服务器当前打开的文件过多。请重试。',
  "The server's disk is read-only. Mount it for writing and try again.": '服务器磁盘为只读。请将其挂载为可写后重试。',
  "Apps share the console's origin, {base}, over plain HTTP. When an operator opens an app, its scripts can use the console. Serve over HTTPS, or set STREAMLIT_HOST_APPS_PORT to give apps their own port.":
    '应用与控制台共用来源 {base}，且使用未加密的 HTTP。运维人员打开应用时，应用的脚本可以操作控制台。请使用 HTTPS，或设置 STREAMLIT_HOST_APPS_PORT 为应用分配单独的端口。',
  'This page does not exist.': '此页面不存在。',
  'Internal error; see the server log.': '内部错误，详见服务器日志。',
  'This method is not supported.': '不支持此方法。',
  'Picture not found.': '图片不存在。',
  'open the app, and see its name, state and URL in lists': '打开应用，并在列表中查看其名称、状态和网址',
  "see the app's deploys, process and previews": '查看应用的部署、进程和预览',
  "read the app's output and build logs": '查看应用的输出和构建日志',
  "read the app's files, clone it and compare releases": '查看应用的文件、克隆应用、比较版本',
  'push, upload and edit files': '推送、上传和编辑文件',
  'redeploy, roll back, cancel deploys, stop old releases, create and delete previews':
    '重新部署、回滚、取消部署、停止旧版本、创建和删除预览',
  'start, stop and restart the app, put it to sleep': '启动、停止、重启应用，使其休眠',
  'read and change config vars and secrets': '查看和修改配置变量与机密',
  'see and change where alerts about the app and its output are sent': '查看和修改应用的告警及输出发往何处',
  "change the app's name, description, tags, branch and paths": '修改应用的名称、描述、标签、分支和路径',
  'see and change who has which role in the app': '查看和修改谁在应用中拥有何种角色',
  'delete the app': '删除应用',
  'App down': '应用无法访问',
  'App keeps crashing': '应用反复崩溃',
  'Deploy failed': '部署失败',
  'Memory nearly full': '内存即将用尽',
  'Disk nearly full': '磁盘即将用尽',
  'New exception': '新的异常',
  'Slow wake': '唤醒缓慢',
  'The app crashed {count} times within {span}.': '应用在 {span} 内崩溃了 {count} 次。',
  'It answered with status {status}.': '对方返回状态码 {status}。',
  'A visitor waited {span} for the app.': '一位访客等待应用 {span}。',
  'The app does not serve.': '应用无法提供服务。',
  'The token "{name}" {why}. Create a new one.': '令牌“{name}”已失效（{why}）。请创建新令牌。',
  // Alerts and drains
  'Enter a secret of letters, digits and symbols, without spaces.': '请输入由字母、数字和符号组成且不含空格的密钥。',
  'Enter a token of letters, digits and symbols, without spaces.': '请输入由字母、数字和符号组成且不含空格的令牌。',
  'Enter a URL with a topic, such as https://ntfy.sh/my-topic.':
    '请输入包含主题的 URL，例如 https://ntfy.sh/my-topic。',
  'Its address is not public. Only an admin can add a destination in a private network.':
    '地址不是公网地址。只有管理员可以添加私有网络中的目标。',
  'It did not answer within {seconds} s.': '对方在 {seconds} 秒内没有响应。',
  'Its host name cannot be resolved.': '无法解析主机名。',
  'Its secret has a character that cannot be sent.': '密钥包含无法发送的字符。',
  'It refuses connections.': '对方拒绝连接。',
  'Its certificate is not valid.': '对方的证书无效。',
  'The connection failed.': '连接失败。',
  'It refused the message with code {code}.': '对方拒绝了消息，代码 {code}。',
  'The mail server refused it with code {code}.': '邮件服务器拒绝了邮件，代码 {code}。',
  'The mail server cannot be reached.': '无法连接邮件服务器。',
  'The destination was removed.': '通知目标已移除。',
  'Release {number} could not be deployed.': '版本 {number} 部署失败。',
  'Release {number} could not be deployed. {why}': '版本 {number} 部署失败。{why}',
  'The app does not serve. {why}': '应用无法提供服务。{why}',
  'The app uses {used} of {total} ({share} %).': '应用已使用 {used}，上限为 {total}（{share}%）。',
  'The machine uses {used} of {total} of memory ({share} %).': '主机已使用 {used} 内存，共 {total}（{share}%）。',
  'The data folder’s disk holds {used} of {total} ({share} %).':
    '数据文件夹所在磁盘已使用 {used}，共 {total}（{share}%）。',

  // Apps, files and branches
  '{path} cannot be a file because {why}. Delete that first, or choose another name.':
    '{path} 不能作为文件，因为 {why}。请先将其删除，或换一个名称。',
  'It is a folder of the project.': '它是项目中的文件夹。',
  '{file} is a file of the project.': '{file} 是项目中的文件。',
  'The branch {branch} conflicts with the branch {other}. Delete that one first, or rename yours.':
    '分支 {branch} 与分支 {other} 冲突。请先删除后者，或重命名你的分支。',
  '{id} is a preview. Push {branch} to {of} instead.': '{id} 是预览。请改为把 {branch} 推送到 {of}。',
  'The app id "{id}" is reserved: only previews have "--" in their ids. Push the branch to its app, or choose another id.':
    '应用 ID“{id}”为保留名称：只有预览的 ID 可以包含“--”。请把分支推送到所属应用，或换一个 ID。',
  'A branch must point to a commit, but something else was pushed to it.': '分支必须指向提交，但推送的是其他对象。',
  '{path} is larger than 5 MB. Clone the repository to see it.': '{path} 大于 5 MB。请克隆仓库后查看。',
  '{path} is too large to show. Open it in {folder}.': '{path} 过大，无法显示。请在 {folder} 中打开。',
  'Someone else changed "{path}" in the meantime. Read it again and merge your change.':
    '其他人在此期间修改了“{path}”。请重新读取并合并你的修改。',
  'A file named "{path}" already exists.': '名为“{path}”的文件已存在。',
  '"{id}" is not a full commit id.': '“{id}”不是完整的提交 ID。',
  'This permanently deletes "{id}" and its data. Add ?confirm={same} to confirm.':
    '这将永久删除“{id}”及其数据。添加 ?confirm={same} 以确认。',
  '{app} has no config var {name}.': '{app} 没有配置变量 {name}。',
  '"{id}" has no release {number}.': '“{id}”没有版本 {number}。',
  '"{id}" has no deploys yet, so there is no build log.': '“{id}”尚未部署，因此没有构建日志。',
  '{id} is not running, so it cannot be put to sleep.': '{id} 未在运行，无法使其休眠。',
  '{preview} is the preview of {branch} and follows that branch.': '{preview} 是 {branch} 的预览，跟随该分支。',
  '{branch} has a preview, {preview}. Delete that first.': '{branch} 已有预览 {preview}。请先删除该预览。',
  'Release {number} of {id} ran from {folder}, which keeps no earlier versions. Restore the files there.':
    '{id} 的版本 {number} 从 {folder} 运行，该文件夹不保留早期版本。请在那里恢复文件。',
  'Release {number} of {id} was never live. Choose one that was.':
    '{id} 的版本 {number} 从未上线。请选择曾经上线的版本。',
  'The exact packages of release {number} of {id} are not known. Deploy the app again to record them.':
    '{id} 的版本 {number} 没有记录确切的软件包。请重新部署应用以记录。',
  'Cannot read {file}, the record of the app "{id}". Restore it from a backup and restart the server, or move the folder away.':
    '无法读取应用“{id}”的记录 {file}。请从备份恢复并重启服务器，或将文件夹移走。',
  'Cannot read {file}, which holds {content}. Restore it from a backup and restart the server, or delete it to start without.':
    '无法读取 {file}（{content}）。请从备份恢复并重启服务器，或删除它以重新开始。',

  // Apps that run in place
  '{id} runs in place from {folder}. {why}, or give it its own repository with "streamlit-host adopt {same}".':
    '{id} 从 {folder} 就地运行。{why}，或使用“streamlit-host adopt {same}”将其迁入自己的仓库。',
  'Change its files there': '请在该文件夹中修改文件',
  'Restore the files there': '请在该文件夹中恢复文件',
  'Change its name and description in config.json and run "streamlit-host refresh"':
    '请在 config.json 中修改名称和描述，并运行“streamlit-host refresh”',
  'Name its main file in config.json': '请在 config.json 中指定主文件',
  'Deploy it from its folder': '请从其文件夹部署',
  '{id} was not restarted: {why}.': '{id} 未能重启：{why}。',
  '{id} was not scaled: {why}.': '{id} 的副本数未能更改：{why}。',
  'Its deploy failed.': '部署失败。',
  '{id} does not run in place. It is deployed from its repository.': '{id} 不是就地运行，而是从仓库部署。',
  '{id} already has its own repository.': '{id} 已有自己的仓库。',
  '{id} cannot be adopted: {why}.': '无法迁入 {id}：{why}。',
  '{id} cannot be adopted: its main file {main} is outside of its folder {folder}.':
    '无法迁入 {id}：主文件 {main} 在其文件夹 {folder} 之外。',
  '{id} cannot be adopted: {folder} has more than {count} files. List those that are not its code in a .gitignore there.':
    '无法迁入 {id}：{folder} 的文件超过 {count} 个。请在其中的 .gitignore 列出不属于代码的文件。',
  'There is no config.json at {path}, and no folder "apps". Name the folder of the installation, or its config.json.':
    '{path} 中没有 config.json，也没有“apps”文件夹。请指定安装所在的文件夹或其 config.json。',
  'Cannot read {path}: {why}.': '无法读取 {path}：{why}。',
  'The app folder {folder} does not exist. Put it back, or change "{key}" in config.json.':
    '应用文件夹 {folder} 不存在。请恢复该文件夹，或修改 config.json 中的“{key}”。',
  'The main file {file} does not exist. Put it back, or change "app" of "{key}" in config.json.':
    '主文件 {file} 不存在。请恢复该文件，或修改 config.json 中“{key}”的“app”。',
  'The app folder {folder} has no app.py or other file that is clearly the app. Set "app" of "{key}" in config.json.':
    '应用文件夹 {folder} 中没有 app.py 或其他明确的主文件。请在 config.json 中设置“{key}”的“app”。',
  'The virtual environment {venv} does not exist. Create it, or change "venv" of "{key}" in config.json.':
    '虚拟环境 {venv} 不存在。请创建它，或修改 config.json 中“{key}”的“venv”。',
  'The virtual environment {venv} does not exist. There is one in {other}; change "venv" of "{key}" in config.json.':
    '虚拟环境 {venv} 不存在。{other} 中有一个；请修改 config.json 中“{key}”的“venv”。',

  // How apps and checks of releases end
  Cancelled: '已取消',
  'Cancelled.': '已取消。',
  'The app exited.': '应用已退出。',
  'The app exited with code {code}.': '应用已退出，退出码 {code}。',
  'The app was killed by {signal}.': '应用被信号 {signal} 终止。',
  'The app used up its memory.': '应用耗尽了内存。',
  '{why} limit of {limit}.': '{why}（上限 {limit}）。',
  'The app used {used} of memory; its limit is {limit}.': '应用使用了 {used} 内存，上限为 {limit}。',
  'The app did not respond for {seconds} s and was stopped.': '应用在 {seconds} 秒内没有响应，已被停止。',
  'The app had {count} processes; its limit is {limit}.': '应用有 {count} 个进程，上限为 {limit}。',
  'The app kept trying to exceed its limit of {count} processes and threads and was stopped.':
    '应用不断尝试超出 {count} 个进程和线程的上限，已被停止。',
  'The app was stopped while starting.': '应用在启动时被停止。',
  'The app did not answer within {seconds} s (listening, but not answering).':
    '应用在 {seconds} 秒内没有响应（在监听，但未响应）。',
  'The app did not answer within {seconds} s (not listening on any port).':
    '应用在 {seconds} 秒内没有响应（未监听任何端口）。',
  'The app did not answer within {seconds} s (listening on {ports} instead).':
    '应用在 {seconds} 秒内没有响应（监听的是 {ports}）。',
  'The script did not finish within {seconds} s.': '脚本未在 {seconds} 秒内运行完毕。',
  'The script raised an exception.': '脚本抛出了异常。',
  'The first page did not finish within {seconds} s.': '首页未在 {seconds} 秒内运行完毕。',
  'Page "{page}" did not finish within {seconds} s.': '页面“{page}”未在 {seconds} 秒内运行完毕。',
  'The first page raised an exception.': '首页抛出了异常。',
  'Page "{page}" raised an exception.': '页面“{page}”抛出了异常。',
  'The package {name} is not {where}. Add it and push again.': '软件包 {name} 不在 {where}。请添加后重新推送。',
  'The package {name} (imported as {module}) is not {where}. Add it and push again.':
    '软件包 {name}（导入名为 {module}）不在 {where}。请添加后重新推送。',
  "among the project's dependencies": '项目的依赖中',
  'in {file}': '{file} 中',
  'The Python interpreter of {folder} is missing. Deploy the app again.':
    '{folder} 的 Python 解释器缺失。请重新部署应用。',
  '{file} does not exist. Run "streamlit-host rollback {app} {number}" to build it again.':
    '{file} 不存在。请运行“streamlit-host rollback {app} {number}”重新构建。',
  'Could not start {command}: {why}.': '无法启动 {command}：{why}。',
  'Docker did not start the app: {why}.': 'Docker 未能启动应用：{why}。',
  "The app's container could not be set up.": '无法建立应用的容器。',
  "The app's container could not be set up: {why}.": '无法建立应用的容器：{why}。',
  'Docker does not answer.': 'Docker 没有响应。',
  'Docker does not answer at {socket} (there is no such socket). Start Docker, or name its socket with STREAMLIT_HOST_DOCKER_SOCKET.':
    'Docker 在 {socket} 没有响应（套接字不存在）。请启动 Docker，或通过 STREAMLIT_HOST_DOCKER_SOCKET 指定其套接字。',
  'Docker does not answer at {socket} ({why}). Start Docker, or name its socket with STREAMLIT_HOST_DOCKER_SOCKET.':
    'Docker 在 {socket} 没有响应（{why}）。请启动 Docker，或通过 STREAMLIT_HOST_DOCKER_SOCKET 指定其套接字。',
  'Docker {version} at {socket} is too old. Install Docker 20.10 or later.':
    '{socket} 的 Docker {version} 版本过旧。请安装 Docker 20.10 或更高版本。',
  'The server may not use Docker\'s socket, {socket}. Add its user to the group "docker", and start it again.':
    '服务器无权使用 Docker 的套接字 {socket}。请将其用户加入“docker”组，然后重新启动。',
  'What answers at {socket} is not Docker. Set STREAMLIT_HOST_DOCKER_SOCKET.':
    '{socket} 的响应方不是 Docker。请设置 STREAMLIT_HOST_DOCKER_SOCKET。',
  'Docker at {socket} is not a manager of a Swarm. Run "docker swarm init", or "docker node promote" on a manager.':
    '{socket} 的 Docker 不是 Swarm 的管理节点。请运行“docker swarm init”，或在管理节点上运行“docker node promote”。',
  'The registry at {registry} does not take images ({why}). Check STREAMLIT_HOST_SWARM_REGISTRY.':
    '{registry} 的镜像仓库不接受镜像（{why}）。请检查 STREAMLIT_HOST_SWARM_REGISTRY。',
  'The environment could not be packed into an image: {why}.': '无法将环境打包为镜像：{why}。',
  'The files of {app} are on {machine}, which is {state}. Bring that machine back, or give them up with "docker node rm --force {same}".':
    '{app} 的文件在 {machine} 上，而该机器目前的状态为：{state}。请让该机器恢复工作，或运行“docker node rm --force {same}”放弃这些文件。',
  'The files of {app} are on {machine} by now. Deploy again.': '{app} 的文件现在位于 {machine} 上。请重新部署。',
  'The data folder is in {folder}, which every machine has of its own. Move it, such as to /var/lib/streamlit-host.':
    '数据文件夹位于 {folder} 中，而每台机器都有各自的该文件夹。请移动数据文件夹，例如移动到 /var/lib/streamlit-host。',
  'Apps without a network cannot run on a Swarm. Remove "network = false" from streamlit-host.toml.':
    '没有网络的应用无法在 Swarm 上运行。请从 streamlit-host.toml 中删除“network = false”。',
  'The server cannot listen at {address} ({why}). Check STREAMLIT_HOST_SWARM_ADDRESS.':
    '服务器无法在 {address} 监听（{why}）。请检查 STREAMLIT_HOST_SWARM_ADDRESS。',
  'STREAMLIT_HOST_SWARM_ADDRESS is not set.': '未设置 STREAMLIT_HOST_SWARM_ADDRESS。',
  'Docker has no network "{name}". Create it with "docker network create {same}", or name another one with STREAMLIT_HOST_DOCKER_NETWORK.':
    'Docker 没有网络“{name}”。请运行“docker network create {same}”创建，或通过 STREAMLIT_HOST_DOCKER_NETWORK 指定其他网络。',
  "Docker at {socket} cannot run the server's apps ({why}). The server must run on the same machine, and not in a container itself.":
    '{socket} 的 Docker 无法运行服务器的应用（{why}）。服务器必须运行在同一台主机上，且自身不在容器中。',

  // Builds: reading the project
  '{file} is stored in Git LFS, and its content was not pushed. Push it with "git lfs push --all" and the name of the remote, then push again.':
    '{file} 存储在 Git LFS 中，但其内容未推送。请使用“git lfs push --all”加远程名称推送其内容，然后重新推送。',
  'The content of {file} is not stored any more. Push it with "git lfs push --all" and the name of the remote.':
    '{file} 的内容已不再存储。请使用“git lfs push --all”加远程名称推送。',
  'The content of the file is not what its pointer says. Push again.': '文件内容与其指针不符。请重新推送。',
  'The server cannot read projects at the moment. Try again later.': '服务器暂时无法读取项目。请稍后重试。',
  '{of} could not be read within {seconds} s. Shorten its dependency and settings files and try again.':
    '无法在 {seconds} 秒内读取 {of}。请精简其依赖文件和设置文件后重试。',
  '{of} could not be read with {count} MiB of memory. Shorten its dependency and settings files and try again.':
    '无法用 {count} MiB 内存读取 {of}。请精简其依赖文件和设置文件后重试。',
  '{path} is a symbolic link to {target}, outside of the project. Replace it with the file itself.':
    '{path} 是指向项目之外 {target} 的符号链接。请替换为文件本身。',
  '{path} is a symbolic link. Replace it with the file itself.': '{path} 是符号链接。请替换为文件本身。',
  '{path} has a name that is not valid UTF-8. Rename it and push again.':
    '{path} 的名称不是有效的 UTF-8。请重命名后重新推送。',
  '{path} is a submodule, and git does not push its files. Add them to the project itself.':
    '{path} 是子模块，git 不会推送其中的文件。请把文件直接加入项目。',
  '{path} is {size}; the limit for one file is {limit}. Store it with Git LFS (git lfs track {same}), or elsewhere.':
    '{path} 大小为 {size}，单个文件的上限为 {limit}。请使用 Git LFS（git lfs track {same}）或存放在其他位置。',
  '{path} is stored in Git LFS, but has to be in git itself. Run "git lfs untrack {same}", add the file again, and push.':
    '{path} 存储在 Git LFS 中，但必须直接存储在 git 中。请运行“git lfs untrack {same}”，重新添加文件并推送。',
  '{path} is larger than {limit}, the limit for this file.': '{path} 超过该文件的上限 {limit}。',
  'The root folder {folder}, set in {where}, is not in the repository. Add it, or change the setting.':
    '{where} 中设置的根文件夹 {folder} 不在仓库中。请添加，或修改设置。',
  "the app's settings": '应用设置',
  'The main file {file}, set in {where}, is not in the project. {why}':
    '{where} 中设置的主文件 {file} 不在项目中。{why}',
  'It has no Python files.': '项目中没有 Python 文件。',
  'Its Python files: {names}.': '项目中的 Python 文件：{names}。',
  'No {names} in the project root, and {names2} could each be the app. Rename the right one to app.py, or {why}':
    '项目根目录中没有 {names}，而 {names2} 都可能是应用。请把正确的文件重命名为 app.py，或 {why}',
  'No {names} in the project root, only {names2}. To deploy it, {why}':
    '项目根目录中没有 {names}，只有 {names2}。要部署它，请 {why}',
  'No {names} in the project root, but {names2} may be the app. To deploy it, {why}':
    '项目根目录中没有 {names}，但 {names2} 可能是应用。要部署它，请 {why}',
  'push with -o main={file}, set it as the main file in the console, or set main = "{same}" in {settings}.':
    '使用 -o main={file} 推送、在控制台中设为主文件，或在 {settings} 中设置 main = "{same}"。',
  'No {names} in the project root, and {names2} cannot be the app. Add app.py.':
    '项目根目录中没有 {names}，而 {names2} 不能作为应用。请添加 app.py。',
  'No {names} in the project root, and no other Python file that could be the app. The project has {names2}. Add app.py.':
    '项目根目录中没有 {names}，也没有其他可作为应用的 Python 文件。项目中有 {names2}。请添加 app.py。',
  'The project is empty. Add app.py and requirements.txt.': '项目为空。请添加 app.py 和 requirements.txt。',
  '{count} more': '另外 {count} 个',
  'In streamlit-host.toml, [cage] network = false needs a container or a bubblewrap cage, and this app runs without a cage.':
    'streamlit-host.toml 中 [cage] 的 network = false 需要容器或 bubblewrap 沙箱，而此应用在没有沙箱的情况下运行。',
  'In streamlit-host.toml, [cage] network = false needs a container or a bubblewrap cage, and this app runs in a Landlock cage.':
    'streamlit-host.toml 中 [cage] 的 network = false 需要容器或 bubblewrap 沙箱，而此应用运行在 Landlock 沙箱中。',
  'In streamlit-host.toml, [cage] {key} names {path}. This server allows none. Ask the operator to add it to {setting}.':
    'streamlit-host.toml 中 [cage] 的 {key} 指定了 {path}，而此服务器不允许任何路径。请联系运维人员将其加入 {setting}。',
  'In streamlit-host.toml, [cage] {key} names {path}. This server allows {allowed}. Ask the operator to add it to {setting}.':
    'streamlit-host.toml 中 [cage] 的 {key} 指定了 {path}，而此服务器允许 {allowed}。请联系运维人员将其加入 {setting}。',
  'streamlit-host.toml: {why}.': 'streamlit-host.toml：{why}。',
  'streamlit-host.toml, line {line}: {why}.': 'streamlit-host.toml 第 {line} 行：{why}。',
  'streamlit-host.toml, {place}: {why}.': 'streamlit-host.toml，{place}：{why}。',
  'It has more than {count} characters.': '超过 {count} 个字符。',
  '{setting} is invalid.': '{setting} 无效。',
  'Invalid TOML: {problem}.': '无效的 TOML：{problem}。',
  'Unknown setting {name}. Valid settings: {known}.': '未知设置 {name}。有效设置：{known}。',
  'The root folder must be {why}.': '根文件夹必须是 {why}。',
  'The main file must be {why}.': '主文件必须是 {why}。',
  'The dependency file must be {why}.': '依赖文件必须是 {why}。',
  'the path of a folder in the repository, such as "dashboards/sales"': '仓库中文件夹的路径，例如“dashboards/sales”',
  'the path of a Python file in the repository, such as "src/app.py"': '仓库中 Python 文件的路径，例如“src/app.py”',
  '{known}, or the path of such a file or of another .txt file': '{known}，或此类文件、其他 .txt 文件的路径',
  'Invalid push option drain. Use drain=<minutes>, with 0 to {most} minutes.':
    '推送选项 drain 无效。请使用 drain=<minutes>，范围为 0 到 {most} 分钟。',

  // Builds: dependencies
  'The files that {file} includes are larger than {limit}, the limit for included files.':
    '{file} 包含的文件超过上限 {limit}。',
  '{file} is larger than {limit}, the limit for included files.': '{file} 超过被包含文件的上限 {limit}。',
  '{file} includes {other}, which is outside of the project.': '{file} 包含了项目之外的 {other}。',
  '{file} includes {other}, which is not in the project. Add it, or remove that line.':
    '{file} 包含了 {other}，但项目中没有该文件。请添加文件，或删除该行。',
  'packages.txt lists {names}, which is not installed on this server. Ask the operator to run "apt-get install {same}", then push again.':
    'packages.txt 列出的 {names} 未安装在此服务器上。请联系运维人员运行“apt-get install {same}”，然后重新推送。',
  'packages.txt lists {names}, which are not installed on this server. Ask the operator to run "apt-get install {same}", then push again.':
    'packages.txt 列出的 {names} 未安装在此服务器上。请联系运维人员运行“apt-get install {same}”，然后重新推送。',
  'Could not install {names} from packages.txt: {why}.': '无法安装 packages.txt 中的 {names}：{why}。',
  '"{word}" in line {line} of packages.txt is not a valid Debian package name. Write one name per line, such as ffmpeg.':
    'packages.txt 第 {line} 行的“{word}”不是有效的 Debian 软件包名。请每行写一个名称，例如 ffmpeg。',
  'The config var {name} is not an http or https URL. Correct it, then push again.':
    '配置变量 {name} 不是 http 或 https URL。请更正后重新推送。',
  'Cannot read {file}: line {line}: {problem}.': '无法读取 {file}：第 {line} 行：{problem}。',
  'Cannot read {file}: invalid JSON.': '无法读取 {file}：JSON 无效。',
  'It is nested more than {count} levels deep.': '嵌套超过 {count} 层。',
  'Aliases are not supported.': '不支持别名。',
  'A key must be plain text.': '键必须是纯文本。',
  'Cannot read {file}: {why} at line {line}, column {column}.': '无法读取 {file}：第 {line} 行第 {column} 列：{why}。',
  'No requirements.txt or other dependency file in {names}. Add a requirements.txt that lists the packages the app imports, such as streamlit.':
    '{names} 中没有 requirements.txt 或其他依赖文件。请添加 requirements.txt，列出应用导入的软件包，例如 streamlit。',
  'No requirements.txt in {names}, and {names2}. Add a requirements.txt that lists the packages the app imports, such as streamlit.':
    '{names} 中没有 requirements.txt，而且 {names2}。请添加 requirements.txt，列出应用导入的软件包，例如 streamlit。',
  'the project root': '项目根目录',
  'lists no dependencies': '没有列出依赖',
  'lists its dependencies only at build time': '只在构建时列出依赖',
  'has no pyproject.toml next to it': '旁边没有 pyproject.toml',
  '{file} has no pyproject.toml next to it': '{file} 旁边没有 pyproject.toml',
  '{file} lists its dependencies only at build time': '{file} 只在构建时列出依赖',
  '{file} lists no dependencies': '{file} 没有列出依赖',
  'The dependency file {file}, set in {where}, is not in the project. Add it, or change the setting.':
    '{where} 中设置的依赖文件 {file} 不在项目中。请添加，或修改设置。',
  'The dependency file {file}, set in {where}, {why}. Change the setting or the file.':
    '{where} 中设置的依赖文件 {file} {why}。请修改设置或文件。',
  '{why} To use {file}, push with -o dependencies={same}, set it as the dependency file in the console, or set dependencies = "{again}" in streamlit-host.toml.':
    '{why} 要使用 {file}，请用 -o dependencies={same} 推送、在控制台中设为依赖文件，或在 streamlit-host.toml 中设置 dependencies = "{again}"。',
  '{why} {file} is not read here; list the packages, with their versions, in a requirements.txt.':
    '{why} 此服务器不读取 {file}；请在 requirements.txt 中列出软件包及其版本。',
  '{why} {file} is not read here; list its Python packages in a requirements.txt.':
    '{why} 此服务器不读取 {file}；请在 requirements.txt 中列出其中的 Python 软件包。',
  '{why} {file} is read by an install of the project; add a requirements.txt with the line ".".':
    '{why} {file} 在安装项目时才会读取；请添加 requirements.txt，写入一行“.”。',
  '{why} {file} is not read here; push the environment.yml that it was made from.':
    '{why} 此服务器不读取 {file}；请推送生成它的 environment.yml。',
  '{why} {file} is not read here; push the pyproject.toml too, or a requirements.txt made with "pdm export".':
    '{why} 此服务器不读取 {file}；请同时推送 pyproject.toml，或用“pdm export”生成的 requirements.txt。',
  '{file} contains "{line}", which has more than {count} "@" and "=" in one word. Remove that line.':
    '{file} 包含“{line}”，其中一个单词内的“@”和“=”超过 {count} 个。请删除该行。',
  '{file} contains "{line}", a path on a Windows machine. Add those files to the project and name them by their path in it, or use the package\'s version.':
    '{file} 包含 Windows 主机上的路径“{line}”。请把这些文件加入项目并使用项目内的路径，或使用软件包的版本号。',
  '{file} contains "{line}", as "pip freeze" writes it for packages of conda or of the disk. Use "pip list --format=freeze > {same}" instead, or write the version.':
    '{file} 包含“{line}”，这是“pip freeze”对 conda 或本地软件包的写法。请改用“pip list --format=freeze > {same}”，或写明版本号。',
  '{file} contains "{line}", but {place} is outside of the project. Add the files to the project, or use a URL.':
    '{file} 包含“{line}”，但 {place} 在项目之外。请把文件加入项目，或使用 URL。',
  '{file} installs {name} from {place}, which is outside of the project. Add the files to the project, or use a URL.':
    '{file} 从项目之外的 {place} 安装 {name}。请把文件加入项目，或使用 URL。',
  '{file} names {place} in [tool.uv], which is outside of the project. Add the files to the project, or use a URL.':
    '{file} 的 [tool.uv] 指定了项目之外的 {place}。请把文件加入项目，或使用 URL。',
  '"{text}" in {file} is not a CPython version. Use one such as 3.12.':
    '{file} 中的“{text}”不是 CPython 版本。请使用 3.12 这样的版本。',
  '{file} requires Python {version}, but apps need 3.9 or newer. Require a newer version.':
    '{file} 要求 Python {version}，但应用需要 3.9 或更高版本。请要求更高的版本。',
  '{file} requires Python {version}, which is not installed on this server. Installed: none. Require one of those, or ask the operator to install it.':
    '{file} 要求 Python {version}，但此服务器未安装任何 Python。请联系运维人员安装。',
  '{file} requires Python {version}, which is not installed on this server. Installed: {installed}. Require one of those, or ask the operator to install it.':
    '{file} 要求 Python {version}，但此服务器未安装该版本。已安装：{installed}。请要求其中之一，或联系运维人员安装。',
  '{file} requires {asked}, but apps need Streamlit 1.18 or newer. Require a newer version.':
    '{file} 要求 {asked}，但应用需要 Streamlit 1.18 或更高版本。请要求更高的版本。',
  '{file} is not a text file. Save it as UTF-8 text and push again.':
    '{file} 不是文本文件。请保存为 UTF-8 文本后重新推送。',
  '{file} is not valid UTF-8 text. Save it as UTF-8 and push again.':
    '{file} 不是有效的 UTF-8 文本。请保存为 UTF-8 后重新推送。',
  '{file} is not valid {encoding} text. Save it as UTF-8 and push again.':
    '{file} 不是有效的 {encoding} 文本。请保存为 UTF-8 后重新推送。',
  '{file} has more than {count} characters in line {line}. Break that line up.':
    '{file} 第 {line} 行超过 {count} 个字符。请拆分该行。',
  'Line {line} of {file} contains "{text}", which pip does not accept in requirements files. Remove it, or correct the line.':
    '{file} 第 {line} 行包含“{text}”，pip 不接受 requirements 文件中的这种内容。请删除，或更正该行。',
  'Cannot use {file}: "{name}" is not a valid package name. Change it, or add a requirements.txt and set dependencies = "requirements.txt" in streamlit-host.toml.':
    '无法使用 {file}：“{name}”不是有效的软件包名。请更正，或添加 requirements.txt 并在 streamlit-host.toml 中设置 dependencies = "requirements.txt"。',
  'Cannot use {file}: its entry for {name} is not a single requirement. Change it, or add a requirements.txt and set dependencies = "requirements.txt" in streamlit-host.toml.':
    '无法使用 {file}：其中 {name} 的条目不是单个依赖要求。请更正，或添加 requirements.txt 并在 streamlit-host.toml 中设置 dependencies = "requirements.txt"。',
  'Only uv can read uv.lock, and it is not installed on this server. Ask the operator to install it, or push a requirements.txt.':
    '只有 uv 能读取 uv.lock，而此服务器未安装 uv。请联系运维人员安装，或推送 requirements.txt。',
  'Cannot run the Python at {file}. Install Python 3.10 or newer.':
    '无法运行 {file} 处的 Python。请安装 Python 3.10 或更高版本。',

  // Builds: installing; what uv, pip and git print stays as it is
  "The server's disk is full, so {why}. Free some space and deploy again.":
    '服务器磁盘已满，{why}。请释放空间后重新部署。',
  'The packages could not be installed.': '无法安装软件包。',
  'The files could not be written.': '无法写入文件。',
  "The server's disk is full; the deploy was undone.": '服务器磁盘已满，部署已撤销。',
  'The server has too many open files; the deploy was undone.': '服务器打开的文件过多，部署已撤销。',
  "The server's disk is read-only; the deploy was undone.": '服务器磁盘为只读，部署已撤销。',
  '{why} If it is on a private index, check the credentials of that index.':
    '{why} 如果它在私有软件源上，请检查该软件源的凭据。',
  'No package named {name} was found.': '未找到名为 {name} 的软件包。',
  'No version of {name} was found.': '未找到 {name} 的任何可用版本。',
  'Only {there} is available, but {wanted} is required.': '只有 {there} 可用，但要求 {wanted}。',
  '{name} requires Python {wanted}, but the app runs on {python}.':
    '{name} 要求 Python {wanted}，但应用运行在 {python} 上。',
  'The requirements conflict: {first} and {second}.': '依赖要求冲突：{first} 与 {second}。',
  'The requirements conflict: {packages}.': '依赖要求冲突：{packages}。',
  'The requirements cannot be met: {text}.': '无法满足依赖要求：{text}。',
  'The install failed without output.': '安装失败，没有任何输出。',
  'The index {url} refused access ({status}). Put its credentials into the URL as config vars, such as ${INDEX_TOKEN}.':
    '软件源 {url} 拒绝访问（{status}）。请把凭据以配置变量的形式写入 URL，例如 ${INDEX_TOKEN}。',
  '{url} refused access ({status}). Put its credentials into the URL as config vars, such as ${INDEX_TOKEN}.':
    '{url} 拒绝访问（{status}）。请把凭据以配置变量的形式写入 URL，例如 ${INDEX_TOKEN}。',
  "{wrong} is not the package's name. Use {right} instead.": '{wrong} 不是该软件包的名称。请改用 {right}。',
  '{url} asks for a login. If the repository is private, put a token into its URL as a config var, such as ${GIT_TOKEN}.':
    '{url} 要求登录。如果仓库是私有的，请把令牌以配置变量的形式写入 URL，例如 ${GIT_TOKEN}。',
  '{url} did not accept the credentials of the URL.': '{url} 不接受 URL 中的凭据。',
  'The git repository was not found, or needs credentials.': '未找到 git 仓库，或需要凭据。',
  'The git repository {url} was not found, or needs credentials.': '未找到 git 仓库 {url}，或需要凭据。',
  'The git server accepted no SSH key. Use an https URL with a token.':
    'git 服务器不接受任何 SSH 密钥。请使用带令牌的 https URL。',
  "The git server's SSH key is not known on this server. Use an https URL.":
    '此服务器不认识该 git 服务器的 SSH 密钥。请使用 https URL。',
  'SSH is not installed on this server. Use an https URL.': '此服务器未安装 SSH。请使用 https URL。',
  '{tool} is not installed on this server. Ask the operator to install it.':
    '此服务器未安装 {tool}。请联系运维人员安装。',
  'A package has no wheel for this Python and needs {tool}, which is not installed. Use a version with a wheel, or list the tool in packages.txt.':
    '有软件包没有适用于此 Python 的 wheel，需要 {tool}，而它未安装。请使用有 wheel 的版本，或在 packages.txt 中列出该工具。',
  'A package has no wheel for this Python and needs the C header {header}. Use a version with a wheel, or list its Debian package in packages.txt.':
    '有软件包没有适用于此 Python 的 wheel，需要 C 头文件 {header}。请使用有 wheel 的版本，或在 packages.txt 中列出其 Debian 软件包。',
  'The file of {name} has another hash than the one that is listed.': '{name} 的文件哈希与列出的不同。',
  'A package installed the link {link}, which leads to {target}, outside of the environment.':
    '有软件包安装了指向环境之外 {target} 的链接 {link}。',
  '{name} was not started because the work was cancelled.': '{name} 未启动，因为工作已取消。',
  '{name} was stopped because the work was cancelled.': '{name} 已停止，因为工作已取消。',
  '{name} took longer than {span} and was stopped.': '{name} 运行超过 {span}，已被停止。',
  '{name} printed nothing for {span} and was stopped.': '{name} 在 {span} 内没有任何输出，已被停止。',
  '{name} was stopped by {signal}.': '{name} 被 {signal} 停止。',
  '{name} was stopped by {signal}: {output}.': '{name} 被 {signal} 停止：{output}。',
  '{name} was stopped by a signal.': '{name} 被信号停止。',
  '{name} was stopped by a signal: {output}.': '{name} 被信号停止：{output}。',
  '{name} failed with exit code {code}.': '{name} 失败，退出码 {code}。',
  '{name} failed with exit code {code}: {output}.': '{name} 失败，退出码 {code}：{output}。',
  '{name} could not be started because its folder {folder} no longer exists.':
    '无法启动 {name}，因为其文件夹 {folder} 已不存在。',
  '{name} is not installed, or not on PATH.': '{name} 未安装，或不在 PATH 中。',
  '{name} could not be started: {problem}.': '无法启动 {name}：{problem}。',

  // The server itself
  "The server's disk has only {left} left, and deploys need {floor}.": '服务器磁盘仅剩 {left}，而部署需要 {floor}。',
  "The server's disk has room for only {left} more files, and deploys need {floor}.":
    '服务器磁盘只能再容纳 {left} 个文件，而部署需要 {floor} 个。',
  '{why} Nothing new is deployed until there is more; live apps keep running. Free some space and try again.':
    '{why} 在有更多空间之前不会进行新的部署；线上应用继续运行。请释放空间后重试。',
  "The server's disk has no room for a file of {size}. Free some space and try again.":
    '服务器磁盘没有空间存放 {size} 的文件。请释放空间后重试。',
  'It does not answer in time.': '未及时响应。',
  'The check failed; see the server log.': '检查失败，详见服务器日志。',
  'Could not find out whether the {kind} cage works on this machine: {problem}. Start the server again, or choose a cage with STREAMLIT_HOST_CAGE.':
    '无法确定 {kind} 沙箱在此主机上是否可用：{problem}。请重新启动服务器，或通过 STREAMLIT_HOST_CAGE 选择沙箱。',

  // The vault
  'Version {version} of the config of {app} is no longer stored. Set the config again.':
    '{app} 的配置的第 {version} 版已不再存储。请重新设置配置。',
  'Cannot read the key file {path}: {why}.': '无法读取密钥文件 {path}：{why}。',
  '{path} is not a key file. Restore the one that belongs to this data folder.':
    '{path} 不是密钥文件。请恢复属于此数据文件夹的密钥文件。',
  'The file {name}.enc of {app} was encrypted with a key that is not in vault.key. Restore the key file that belongs to this data folder.':
    '{app} 的文件 {name}.enc 使用了 vault.key 中没有的密钥加密。请恢复属于此数据文件夹的密钥文件。',
  'The file {name}.enc of {app} was damaged or changed on disk. Restore it from a backup.':
    '{app} 的文件 {name}.enc 已损坏或在磁盘上被更改。请从备份恢复。',
  'Line {line} does not have the form NAME=value. Nothing was saved.':
    '第 {line} 行不符合 NAME=value 的形式。未保存任何内容。',
  'Line {line} has a quoted value that is not closed. Nothing was saved.':
    '第 {line} 行的引号没有闭合。未保存任何内容。',
  'The secrets cannot be read: line {line} has more than {count} KiB.': '无法读取机密：第 {line} 行超过 {count} KiB。',
  'The secrets cannot be read: tables are nested more than {count} levels deep.':
    '无法读取机密：表的嵌套超过 {count} 层。',
  'The secrets are not valid TOML (line {line}, column {column}): {problem}.':
    '机密不是有效的 TOML（第 {line} 行第 {column} 列）：{problem}。',
  'The server sets variables with this prefix.': '带有此前缀的变量由服务器设置。',
  "The server sets it for Streamlit's secrets. Use the app's secrets instead.":
    '由服务器为 Streamlit 的机密设置。请改用应用的机密。',
  "The server sets it for the app's environment.": '由服务器为应用的环境设置。',
  'It is not a valid name.': '不是有效的名称。',
  'The server sets {option} to run Streamlit behind its own address.':
    '{option} 由服务器设置，以便在其自身地址之后运行 Streamlit。',

  // People, access and logins
  'Choose a password with which visitors open {id}.': '请选择访客打开 {id} 所用的密码。',
  '{id} has {count} share links. Revoke some first.': '{id} 已有 {count} 个分享链接。请先撤销一些。',
  '{name} has joined already. Create a reset link if they forgot their password.':
    '{name} 已加入。如果对方忘记密码，请创建重置链接。',
  '{name} could not be reached. Try again later, or log in another way.':
    '无法连接 {name}。请稍后重试，或使用其他登录方式。',
  'The login with {name} failed, because its answer is not valid. Try again. If that does not help, ask an admin of this server.':
    '使用 {name} 登录失败，因为对方的响应无效。请重试。如仍有问题，请联系此服务器的管理员。',
  'This login with {name} has expired, or began in another tab. Log in again.':
    '使用 {name} 的此次登录已过期，或在其他标签页中开始。请重新登录。',
  'Your account has no second factor. Set one up first.': '你的账号没有第二因素。请先设置。',
  'Choose what to do with your second factor.': '请选择要对第二因素执行的操作。',
  'There is no passkey "{id}".': '没有通行密钥“{id}”。',
  'Your account has no password. Second factors come after a password; the provider that you log in with has its own.':
    '你的账号没有密码。第二因素在密码之后使用；你登录所用的服务有自己的第二因素。',
  'Use a password of {least} to {most} characters that is not the email address.':
    '请使用 {least} 到 {most} 个字符的密码，且不能与邮箱地址相同。',
  'There can be {count} tokens. Revoke some that are not used.': '最多可有 {count} 个令牌。请撤销一些不用的令牌。',
  'Was revoked.': '已撤销。',
  'Expired on {day}.': '于 {day} 过期。',
  'Belongs to an app that was deleted.': '所属应用已删除。',
  'Belongs to an account that is disabled.': '所属账号已停用。',
  'This token is for scripts and git. Log in with your email address and password.':
    '此令牌用于脚本和 git。请使用邮箱地址和密码登录。',
  'Send your token as "Authorization: Bearer <token>".': '请以“Authorization: Bearer <token>”发送令牌。',
  'Only console pages can make this request without a token. Send your token as "Authorization: Bearer <token>".':
    '没有令牌时，只有控制台页面可以发出此请求。请以“Authorization: Bearer <token>”发送令牌。',
  'The body is larger than {count} KiB.': '请求体超过 {count} KiB。',
  'The body is not valid UTF-8 text.': '请求体不是有效的 UTF-8 文本。',
  'The request has no body, so nothing was changed. To send an empty file, add a Content-Type header.':
    '请求没有请求体，因此未作任何更改。若要发送空文件，请加上 Content-Type 头。',
  'The body is empty, so nothing was changed. To remove all secrets, use DELETE.':
    '请求体为空，因此未作任何更改。若要删除所有机密，请使用 DELETE。',
  'Use a name of at most {count} characters without line breaks.': '请使用不超过 {count} 个字符且不含换行的名称。',
  'Name the link in 1 to {count} characters, for example after who gets it.':
    '请用 1 到 {count} 个字符为链接命名，例如使用接收者的名字。',
  'Name the token in 1 to {count} characters, such as "laptop" or "CI".':
    '请用 1 到 {count} 个字符为令牌命名，例如“笔记本”或“CI”。',
  'Use origins such as https://wiki.example.com, without a path.':
    '请使用 https://wiki.example.com 这样不含路径的来源。',
  'The account {email} is disabled. Ask an admin of this server.': '账号 {email} 已停用。请联系此服务器的管理员。',
  'Your {name} account has no email address. Ask an admin of {same} to add one.':
    '你的 {name} 账号没有邮箱地址。请联系 {same} 的管理员添加。',
  '{name} has not verified your email address, {email}. Verify it there, and log in again.':
    '{name} 尚未验证你的邮箱地址 {email}。请在那里验证后重新登录。',
  'Your {name} account, {email}, is not allowed on this server. Ask an admin of this server.':
    '你的 {name} 账号 {email} 不允许登录此服务器。请联系此服务器的管理员。',
  'There is no account for {email} on this server. Ask an admin to invite you.':
    '此服务器上没有 {email} 的账号。请联系管理员邀请你。',
  'This token has the scope {scope}, and this needs {needed}. Create a token with that scope.':
    '此令牌的权限范围是 {scope}，而此操作需要 {needed}。请创建具有该权限范围的令牌。',
  'This token is only for {id}. Create one that is for more.': '此令牌仅用于 {id}。请创建适用范围更大的令牌。',
  'The admin token has no account. Log in with an email address and a password.':
    '管理员令牌没有账号。请使用邮箱地址和密码登录。',
  'Too many login attempts. Try again in {seconds} seconds.': '登录尝试次数过多。请在 {seconds} 秒后重试。',

  // Forms and uploads
  'The request is required.': '请求为必填。',
  'The request must be {rule}.': '请求必须是 {rule}。',
  'The request is invalid. {why}': '请求无效。{why}',
  '"{field}" is invalid.': '“{field}”无效。',
  '"{field}" is unknown.': '“{field}”未知。',
  '"{field}" must be {rule}.': '“{field}”必须是 {rule}。',
  '"{field}" must be an absolute path.': '“{field}”必须是绝对路径。',
  '"{field}" is invalid. {why}': '“{field}”无效。{why}',
  '"password" needs "opens": "password".': '“password”需要“opens”为“password”。',
  'The form has no files. Send "app" (and "requirements"), an "archive", or "files".':
    '表单中没有文件。请发送“app”（和“requirements”）、“archive”或“files”。',
  '"{field}" does not take files. Use app, requirements, archive or files.':
    '“{field}”不接受文件。请使用 app、requirements、archive 或 files。',
  'Send either an "archive" or "files", not both.': '请发送“archive”或“files”之一，不要同时发送。',
  '"{field}" takes only one file.': '“{field}”只接受一个文件。',
  'The archive is neither a zip nor a tar.gz.': '该压缩包既不是 zip 也不是 tar.gz。',
  'The archive cannot be read ({problem}). Create it again.': '无法读取压缩包（{problem}）。请重新创建。',
  'The archive has more than {count} files. Leave out files the app does not need.':
    '压缩包的文件超过 {count} 个。请去掉应用不需要的文件。',
  '"{path}" in the archive is a link. Replace it with the file itself.': '压缩包中的“{path}”是链接。请替换为文件本身。',
  '"{path}" in the archive is neither a file nor a folder. Leave it out.':
    '压缩包中的“{path}”既不是文件也不是文件夹。请将其去掉。',
  'The archive unpacks to more than {size} MB. Leave out files the app does not need.':
    '压缩包解压后超过 {size} MB。请去掉应用不需要的文件。',
  'The archive unpacks to more than {count} times its own size, which is not allowed.':
    '压缩包解压后超过自身大小的 {count} 倍，这是不允许的。',
  'The archive has no app files.': '压缩包中没有应用文件。',
  '"{path}" in the archive is encrypted. Create the archive without a password.':
    '压缩包中的“{path}”已加密。请创建不带密码的压缩包。',
  'It contains a control character.': '其中包含控制字符。',
  'Use "/" between folders, not a backslash.': '文件夹之间请使用“/”，不要使用反斜杠。',
  'It must be relative to the app.': '必须是相对于应用的路径。',
  'It must not contain "..".': '不能包含“..”。',
  'It is empty.': '路径为空。',
  'A part of it is too long.': '其中一部分过长。',
  'It is too long.': '路径过长。',
  '"{path}" appears twice. Remove one of them.': '“{path}”出现了两次。请移除其中一个。',
  '"{path}" is both a file and a folder.': '“{path}”既是文件又是文件夹。',
  'A file in the upload is too large. Leave out files the app does not need.':
    '上传的文件中有一个过大。请去掉应用不需要的文件。',
  'The upload has too many files. Send them as one archive.': '上传的文件过多。请打包为一个压缩包发送。',
  'The form has too many parts. Send the files as one archive.': '表单的部分过多。请把文件打包为一个压缩包发送。',
  'The form has too many fields.': '表单的字段过多。',
  'A form field is too long.': '表单字段过长。',
  'The form is invalid. {problem}': '表单无效。{problem}',
};
